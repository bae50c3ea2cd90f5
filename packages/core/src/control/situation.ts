/** Situation of one step: observation, present rules and spec, running plan, and planned rates. */
import { CacheByOwner } from '../kernel/lru-cache.js';
import type { LearnedEdge, Observation } from '../model/decision.js';
import type { ExpectedLoad } from '../model/expected-load.js';
import type { StageVariant } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { Plan } from '../model/plan.js';
import { runningStages } from '../model/running-plan.js';
import { plannedCurves } from '../profile/curves-of.js';
import { learnedSpec } from './feedback/edge-feedback.js';
import { type Correction, correctedProfiles } from './feedback/service-feedback.js';
import type { StartTimes } from './feedback/start-feedback.js';
import { withoutVariants } from './guard/switching.js';
import { planOfStages, sustainableRps } from './plan-facts.js';
import { type PlannedRate, recentRates } from './planned-load.js';
import type { ControllerRules } from './rules.js';

export interface Feedback {
  readonly corrections: readonly Correction[];
  readonly edges?: readonly LearnedEdge[] | undefined;
}

/** Rules by feedback: for the feedback in force and for the previous one, still used by a tick that learns. */
const corrected = new CacheByOwner<ControllerRules>(2);
/** Sustainable loads by running replicas: of the present plan and during a change. */
const sustainable = new CacheByOwner<ExpectedLoad>(16);

/** The rules with feedback applied; the same object for the same feedback. */
export function correctedRules(rules: ControllerRules, { corrections, edges = [] }: Feedback): ControllerRules {
  const { partsFor } = rules;
  if (partsFor === undefined || corrections.length + edges.length === 0) return rules;
  const key = JSON.stringify([corrections, edges.map(({ edge, kind, value }) => [edge, kind, value])]);
  return corrected.remember(rules, key, () => {
    const spec = learnedSpec(rules.spec, edges);
    const profiles =
      corrections.length === 0 ? rules.profiles : correctedProfiles(rules.spec, rules.profiles, corrections);
    return { ...rules, spec, ...partsFor(profiles, spec) };
  });
}

/** A search for the best plan at `load` that `ticks` plans in a row have not finished. */
export interface UnfinishedSearch {
  readonly load: ExpectedLoad;
  readonly ticks: number;
}

export interface SituationInput {
  readonly rules: ControllerRules;
  readonly observation: Observation;
  readonly plannedRates: readonly PlannedRate[] | undefined;
  /** Learned start times; default none. */
  readonly starts?: readonly StartTimes[] | undefined;
  readonly search?: UnfinishedSearch | undefined;
  /** Variants in back-off that do not run; default none. */
  readonly rolledBack?: readonly StageVariant[];
}

/** Inputs of a decision. Plans are cached by `rules`, which stays the same object from step to step. */
export class Situation {
  readonly rules: ControllerRules;
  /** The spec with the present target. */
  readonly spec: PipelineSpec;
  readonly observation: Observation;
  readonly rates: readonly PlannedRate[];
  readonly starts: readonly StartTimes[];
  readonly search: UnfinishedSearch | undefined;
  readonly rolledBack: readonly StageVariant[];
  #running: { readonly stages: Plan['stages'] | undefined } | undefined;
  #runningPlan: Plan | undefined;

  constructor({ rules, observation, plannedRates, starts = [], search, rolledBack = [] }: SituationInput) {
    this.rules = rules;
    this.spec = rules.targetAt === undefined ? rules.spec : { ...rules.spec, ...rules.targetAt(observation.atMs) };
    this.observation = observation;
    this.rates = recentRates(plannedRates, observation.atMs);
    this.starts = starts;
    this.search = search;
    this.rolledBack = rolledBack;
  }

  /** Stages of the running plan; undefined while one has no ready replica. */
  get runningStages(): Plan['stages'] | undefined {
    this.#running ??= { stages: runningStages(this.spec, this.observation.runningPlan) };
    return this.#running.stages;
  }

  /** The running plan with accuracy and cost; undefined while a stage has no ready replica. */
  get runningPlan(): Plan | undefined {
    const { runningStages: stages } = this;
    if (stages === undefined) return undefined;
    this.#runningPlan ??= planOfStages(this.spec, stages);
    return this.#runningPlan;
  }

  /** Load that the running replicas sustain at any latency; undefined while a stage has no ready replica. */
  get sustainableLoad(): ExpectedLoad | undefined {
    const { rules, runningStages: stages } = this;
    if (stages === undefined) return undefined;
    return sustainable.remember(rules, JSON.stringify(stages), () => ({
      arrivalRps: sustainableRps(rules.spec, stages, plannedCurves(rules.curves)),
    }));
  }

  /** Least accuracy (fraction) of plans; undefined without a floor. */
  get accuracyFloor(): number | undefined {
    const { objective } = this.spec;
    return objective.kind === 'min-cost' ? objective.accuracyFloor : undefined;
  }

  under(rules: ControllerRules): Situation {
    const { observation, rates: plannedRates, starts, search, rolledBack } = this;
    return new Situation({ rules, observation, plannedRates, starts, search, rolledBack });
  }

  /** The situation without variants in back-off, except pinned ones; undefined if that is the same. */
  get withoutRolledBack(): Situation | undefined {
    const rules = withoutVariants(this.rules, this.rolledBack);
    return rules === this.rules ? undefined : this.under(rules);
  }
}
