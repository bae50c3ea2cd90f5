/**
 * Situation of one step: observation, current rules and spec, running plan, planned rates, and forecast horizon.
 *
 * The horizon is h = D·(1 + D/(2W)). D is the time until a plan acts: its replicas have started (a few at a time, stage
 * after stage), and one has answered.
 */
import { stageLoads } from '../estimate/stage-load.js';
import { CacheByOwner } from '../kernel/lru-cache.js';
import type { LearnedEdge, Observation, StartTimes } from '../model/decision.js';
import type { ExpectedLoad } from '../model/expected-load.js';
import type { StageId, StageVariant } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { Plan, StagePlan } from '../model/plan.js';
import { specOfPlan } from '../model/resolved-spec.js';
import { liveReplicas, runningStages } from '../model/running-plan.js';
import { capacityRps, plannedCurves, type ServiceCurve } from '../profile/service-curves.js';
import { type BackOff, holdsBack } from '../serve/rollout/trial.js';
import { batchPolicies } from '../simulate/serving-policies.js';
import { learnedSpec } from './feedback/edge-feedback.js';
import { type Correction, correctedProfiles, startOf } from './feedback/profile-feedback.js';
import { planOfStages, sustainableRps } from './plan-facts.js';
import { type PlannedRate, recentRates } from './planned-load.js';
import type { ControllerRules } from './rules.js';

export interface Feedback {
  readonly corrections: readonly Correction[];
  readonly edges?: readonly LearnedEdge[] | undefined;
}

/** Rules by feedback. Two are cached: a tick that learns still uses the previous feedback. */
const corrected = new CacheByOwner<ControllerRules>(2);
/** Sustainable loads by running replicas, whose set varies during a change. */
const sustainable = new CacheByOwner<ExpectedLoad>(16);

/** Rules without variants in back-off. */
const reduced = new CacheByOwner<ControllerRules>(64);

/** Minimum time (ms) from the tick until a plan acts: planning, loading, draining. */
const LEAST_MS = 2_000;
/** Maximum horizon (ms) beyond the interval. The forecast extrapolates at most 80 s. */
const MOST_ACTING_MS = 60_000;

/** Rules with feedback applied. Equal feedback gives the same object. */
export function correctedRules(rules: ControllerRules, { corrections, edges = [] }: Feedback): ControllerRules {
  const { partsFor } = rules;
  if (partsFor === undefined || corrections.length + edges.length === 0) return rules;
  const key = JSON.stringify([
    corrections,
    edges.map(({ edge, kind, variantId, upstream, value }) => [edge, kind, variantId, upstream, value]),
  ]);
  return corrected.remember(rules, key, () => {
    const spec = learnedSpec(rules.spec, edges);
    const profiles =
      corrections.length === 0 ? rules.profiles : correctedProfiles(rules.spec, rules.profiles, corrections);
    return { ...rules, spec, ...partsFor(profiles, spec) };
  });
}

/** Rules without the variants of `left`, except pinned ones. Equal variants give the same object. */
function withoutVariants(rules: ControllerRules, left: readonly StageVariant[]): ControllerRules {
  const stages = rules.spec.stages.map((stage) => {
    const leaves = left.filter(({ stageId, variantId }) => stageId === stage.id && variantId !== stage.pins.variantId);
    const variants = stage.variants.filter(({ id }) => !leaves.some(({ variantId }) => variantId === id));
    return variants.length === stage.variants.length || variants.length === 0 ? stage : { ...stage, variants };
  });
  if (stages.every((stage, i) => stage === rules.spec.stages[i])) return rules;
  const key = JSON.stringify(stages.map(({ variants }) => variants.map(({ id }) => id)));
  return reduced.remember(rules, key, () => ({ ...rules, spec: { ...rules.spec, stages } }));
}

/** Variants in back-off that do not serve: after failed changes, or after an improvement that failed its trial. */
export function rolledBackVariants(
  { atMs, runningPlan: { stages } }: Observation,
  ofTrial: (BackOff & { readonly variants?: readonly StageVariant[] | undefined }) | undefined,
): readonly StageVariant[] {
  const failed = Object.entries(stages).flatMap(([id, { rolledBack = [] }]) =>
    rolledBack.flatMap(({ variantId, untilMs }) => (atMs < untilMs ? [{ stageId: id as StageId, variantId }] : [])),
  );
  const { variants = [] } = ofTrial !== undefined && holdsBack(ofTrial, atMs) ? ofTrial : {};
  const serves = ({ stageId, variantId }: StageVariant) => {
    const { replicas = [], canary } = stages[stageId] ?? {};
    return (
      variantId !== canary?.variantId &&
      replicas.some((each) => each.variantId === variantId && each.status === 'ready')
    );
  };
  return [...failed, ...variants].filter((each) => !serves(each));
}

/** Search for the best plan at `load` that did not finish in `ticks` plans in a row. */
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
  /** Variants in back-off that do not serve; default none. */
  readonly rolledBack?: readonly StageVariant[];
}

interface StageGrowth {
  readonly id: StageId;
  readonly stage: StagePlan;
  readonly curve: ServiceCurve;
  readonly startMs: number;
  readonly atOnce: number;
}

/** Inputs of a decision. Plans are cached by `rules`, so steps share that object. */
export class Situation {
  readonly rules: ControllerRules;
  /** Spec with the target at this time. */
  readonly spec: PipelineSpec;
  readonly observation: Observation;
  readonly rates: readonly PlannedRate[];
  readonly starts: readonly StartTimes[];
  readonly search: UnfinishedSearch | undefined;
  readonly rolledBack: readonly StageVariant[];
  #running: { readonly stages: Plan['stages'] | undefined } | undefined;
  #runningPlan: Plan | undefined;
  #growths: readonly StageGrowth[] | undefined;

  constructor({ rules, observation, plannedRates, starts = [], search, rolledBack = [] }: SituationInput) {
    this.rules = rules;
    this.spec = rules.targetAt === undefined ? rules.spec : { ...rules.spec, ...rules.targetAt(observation.atMs) };
    this.observation = observation;
    this.rates = recentRates(plannedRates, observation.atMs);
    this.starts = starts;
    this.search = search;
    this.rolledBack = rolledBack;
  }

  /** Stages of the running plan; undefined while a stage has no ready replica. */
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

  /**
   * Load that the running replicas sustain if latency does not matter; undefined while a stage has no ready replica.
   */
  get sustainableLoad(): ExpectedLoad | undefined {
    const { rules, runningStages: stages } = this;
    if (stages === undefined) return undefined;
    return sustainable.remember(rules, JSON.stringify(stages), () => ({
      arrivalRps: sustainableRps(rules.spec, stages, plannedCurves(rules.curves)),
    }));
  }

  /** Minimum accuracy (fraction) of plans; undefined without a floor. */
  get accuracyFloor(): number | undefined {
    const { objective } = this.spec;
    return objective.kind === 'min-cost' ? objective.accuracyFloor : undefined;
  }

  /** True if replicas start and answer too slowly for the slow loop: a rise cannot wait for its next tick. */
  get actsSlowly(): boolean {
    return this.#actingMs(0) > LEAST_MS;
  }

  /** Time (ms) after which the forecast is looked at again if replicas start slowly: a quarter of their time to act. */
  get lookAgainMs(): number {
    return this.#actingMs(0) / 4;
  }

  /** Forecast horizon (ms) of a plan that must grow to `upperRps`. At that horizon, the next plan acts. */
  horizonMs(upperRps: number): number {
    const { intervalMs } = this.spec.control;
    if (!this.actsSlowly) return intervalMs + LEAST_MS;
    const actMs = this.#actingMs(upperRps);
    const drainMs = Math.min(actMs, actMs ** 2 / (2 * this.#slackMs()));
    return intervalMs + Math.min(MOST_ACTING_MS, actMs + drainMs);
  }

  /** Time (ms) that a stage rests after a switch: dwell time or horizon, whichever is longer. */
  get restMs(): number {
    return Math.max(this.spec.control.minDwellMs, this.horizonMs(0));
  }

  /** D for growth to `upperRps`, with at least one start of the slowest kind. */
  #actingMs(upperRps: number): number {
    this.#growths ??= this.#stageGrowths();
    const all = this.#growths;
    const longestMs = Math.max(0, ...all.map(({ startMs }) => startMs));
    const serviceMs = Math.max(0, ...all.map(({ curve }) => curve.meanMs(1)));
    return Math.max(LEAST_MS, Math.max(this.#startingMs(all, upperRps), longestMs) + serviceMs);
  }

  /** Time (ms) until the replicas that `upperRps` needs have started; 0 for rate 0. */
  #startingMs(growths: readonly StageGrowth[], upperRps: number): number {
    if (upperRps === 0) return 0;
    const loads = stageLoads(specOfPlan(this.spec, this.runningStages ?? {}), upperRps);
    return growths.reduce((sumMs, { id, stage, curve, startMs, atOnce }) => {
      const needed = Math.ceil((loads.get(id)?.arrivalRps ?? 0) / capacityRps(curve, 1, stage.maxBatchSize));
      const missing = Math.max(0, needed - liveReplicas(this.observation.runningPlan.stages[id]).length);
      return sumMs + startMs * Math.ceil(missing / atOnce);
    }, 0);
  }

  /** Profiled stages of the running plan; empty while a stage has no ready replica. */
  #stageGrowths(): readonly StageGrowth[] {
    const { spec, rules, starts, runningStages: running = {} } = this;
    return spec.stages.flatMap(({ id }) => {
      const [stage] = running[id] ?? [];
      const curve = stage && rules.curves.curve(id, stage.variantId, stage.resources.cpuCores);
      if (stage === undefined || curve === undefined || stage.replicas === 0) return [];
      return [{ id, stage, curve, ...startOf(rules, starts, { stageId: id, variantId: stage.variantId }) }];
    });
  }

  /** W: the SLO minus the service times of the longest path; at least 1 ms. */
  #slackMs(): number {
    const { spec, rules, runningStages: stages = {} } = this;
    const pathMs = batchPolicies(spec, { stages }, rules.curves).map(({ expectedServiceMs, remainingMs, isOmitted }) =>
      isOmitted ? 0 : (expectedServiceMs?.[1] ?? 0) + remainingMs,
    );
    return Math.max(1, spec.slo.latencyMs - Math.max(0, ...pathMs));
  }

  /** The situation once the planned rates of the last minute have passed. */
  get withoutRates(): Situation {
    const { rules, observation, starts, search, rolledBack } = this;
    return new Situation({ rules, observation, plannedRates: undefined, starts, search, rolledBack });
  }

  under(rules: ControllerRules): Situation {
    const { observation, rates: plannedRates, starts, search, rolledBack } = this;
    return new Situation({ rules, observation, plannedRates, starts, search, rolledBack });
  }

  /** The situation without variants in back-off, except pinned ones; undefined if nothing changes. */
  get withoutRolledBack(): Situation | undefined {
    if (this.rolledBack.length === 0) return undefined;
    const rules = withoutVariants(this.rules, this.rolledBack);
    return rules === this.rules ? undefined : this.under(rules);
  }
}
