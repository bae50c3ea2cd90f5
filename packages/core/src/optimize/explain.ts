/**
 * Why a plan is what it is, every statement found by solving with one thing changed. A core more, ten milliseconds more, a tenth more load:
 * planned anew and judged as the plan was. One stage held to the next better or the next cheaper variant: solved under the surrogate with
 * which the plan was found.
 */

import { variantAccuracy } from '../estimate/pas.js';
import { stageLoads } from '../estimate/stage-load.js';
import type { StageId, VariantId } from '../model/ids.js';
import { type BindingConstraint, type Plan, type PlanResult, type StagePlan, showsSloMet } from '../model/plan.js';
import { capacityRps } from '../profile/service-curve.js';
import { exactTimes, optionTimes } from './options/option-times.js';
import type { StageOption } from './options/stage-option.js';
import type { PlanningProblem, VerifyPlan } from './planning-problem.js';
import { costOf, isBetter, objectiveValue } from './problem/objective-value.js';
import { graphLatencyMs } from './problem/planning-graph.js';
import { type PlanningSetting, planningSetting } from './problem/planning-setting.js';
import { searchSetting } from './search/search-plan.js';
import { type LatencyFactors, optionLatencyMs, type SurrogateOption } from './surrogate/surrogate.js';
import { SurrogateSolver } from './surrogate/surrogate-solver.js';

/** What becomes of objective and cost when something is changed; both are missing where no plan is left. */
export interface ChangedOutcome {
  readonly value?: number;
  readonly costPerHour?: number;
  /** Stages that would run differently. */
  readonly changedStages: readonly StageId[];
}

/** Why a variant was not taken: the best plan with it is worse, as good but dearer, or there is none because of a bound. */
export type VariantVerdict =
  | { readonly kind: 'worse'; readonly value: number; readonly costPerHour: number }
  | { readonly kind: 'dearer'; readonly value: number; readonly costPerHour: number }
  | { readonly kind: 'impossible'; readonly bindingConstraint: BindingConstraint };

/** A variant that was not taken. */
export interface RejectedVariant {
  readonly variantId: VariantId;
  readonly verdict: VariantVerdict;
}

/** One stage of the plan. */
export interface StageExplanation {
  /** Surrogate latency, and its part of the SLO where the stage lies on the slowest path (else 0). */
  readonly latencyMs: number;
  readonly sloFraction: number;
  readonly costFraction: number;
  /** Highest arrival rate of the pipeline that the stage carries. */
  readonly capacityRps: number;
  readonly nextBetter?: RejectedVariant;
  readonly nextCheaper?: RejectedVariant;
}

/** Stages to look at first: the one with the largest part of the SLO, the dearest, and the one whose capacity ends first. */
export interface BindingStages {
  readonly latency: StageId;
  readonly cost: StageId;
  readonly capacity: StageId;
}

/** The explanation of a feasible plan; values are of the objective. */
export interface PlanExplanation {
  readonly value: number;
  readonly binding: BindingStages;
  readonly oneMoreCore?: ChangedOutcome;
  readonly tenMoreMs: ChangedOutcome;
  readonly tenPercentMoreLoad: ChangedOutcome;
  /** Highest arrival rate found at which this very plan keeps the SLO: to 1 % by simulation, or else of the surrogate. */
  readonly holdsUntilRps: number;
  readonly stages: Readonly<Record<StageId, StageExplanation>>;
}

type FeasibleResult = PlanResult & { readonly kind: 'feasible' };

const LOAD_STEP = 1.1;
const SLO_STEP_MS = 10;
const BISECTIONS = 30;
const RATE_PRECISION = 0.01;
const COST_ROUNDING = 1e-9;

/** Whether an option is what a stage of a plan says. */
const runs = (part: StagePlan, o: StageOption): boolean =>
  o.variantId === part.variantId &&
  o.resources.cpuCores === part.resources.cpuCores &&
  o.maxBatchSize === part.maxBatchSize &&
  o.replicas === part.replicas;

/** The options of a setting that make up a plan. */
function optionsOf(setting: PlanningSetting, plan: Plan): readonly StageOption[] | undefined {
  const chosen = setting.spec.stages.map((stage, s) => {
    const [part] = plan.stages[stage.id] ?? [];
    return setting.options[s]?.find((o) => part !== undefined && runs(part, o));
  });
  return chosen.every((o) => o !== undefined) ? chosen : undefined;
}

/** The first of the stages that are largest in something. */
function bindingOf(stages: Readonly<Record<StageId, StageExplanation>>): BindingStages {
  const largest = (amountOf: (stage: StageExplanation) => number): StageId => {
    const all = Object.entries(stages).map(([id, stage]) => ({ id: id as StageId, amount: amountOf(stage) }));
    return all.reduce((best, next) => (next.amount > best.amount ? next : best)).id;
  };
  return {
    latency: largest((stage) => stage.sloFraction),
    cost: largest((stage) => stage.costFraction),
    capacity: largest((stage) => -stage.capacityRps),
  };
}

class Explainer {
  readonly #problem: PlanningProblem;
  readonly #setting: PlanningSetting;
  readonly #factors: LatencyFactors;
  readonly #result: FeasibleResult;
  readonly #verifierAt: VerifierAt | undefined;

  constructor(problem: PlanningProblem, result: FeasibleResult, verifierAt: VerifierAt | undefined) {
    this.#verifierAt = verifierAt;
    this.#problem = problem;
    this.#setting = planningSetting(problem);
    this.#factors = { theta: result.certificate.theta, kappa: result.certificate.kappa };
    this.#result = result;
  }

  explain(): PlanExplanation {
    const { slo, budget } = this.#setting.spec;
    const { cpuCores } = budget;
    const moreTime = { ...slo, latencyMs: slo.latencyMs + SLO_STEP_MS };
    const stages = this.#stages();
    return {
      value: this.#result.objectiveValue,
      binding: bindingOf(stages),
      ...(cpuCores === undefined
        ? {}
        : { oneMoreCore: this.#relaxed({ ...this.#problem, budget: { ...budget, cpuCores: cpuCores + 1 } }) }),
      tenMoreMs: this.#relaxed({ ...this.#problem, slo: moreTime }),
      tenPercentMoreLoad: this.#changed({ ...this.#problem, arrivalRps: this.#problem.arrivalRps * LOAD_STEP }),
      holdsUntilRps: this.#holdsUntilRps(),
      stages,
    };
  }

  /** What a looser bound gives; the plan stays where another one is neither better nor cheaper. */
  #relaxed(problem: PlanningProblem): ChangedOutcome {
    const { objectiveValue: value, plan } = this.#result;
    const { costPerHour } = plan.predicted;
    const outcome = this.#changed(problem);
    const gains = outcome.value !== undefined && isBetter(this.#setting.objective, outcome.value, value);
    const saves = (outcome.costPerHour ?? Number.POSITIVE_INFINITY) < costPerHour * (1 - COST_ROUNDING);
    return gains || saves ? outcome : { value, costPerHour, changedStages: [] };
  }

  #changed(problem: PlanningProblem): ChangedOutcome {
    const setting = planningSetting(problem);
    const outcome = searchSetting(setting, this.#verifierAt?.(problem.arrivalRps));
    if (outcome.kind === 'none') return { changedStages: [] };
    const { choice, value } = outcome.found;
    const changedStages = setting.spec.stages.flatMap(({ id }, s) => {
      const [part] = this.#result.plan.stages[id] ?? [];
      return part !== undefined && runs(part, (choice[s] as SurrogateOption).option) ? [] : [id];
    });
    return { value, changedStages, costPerHour: outcome.found.plan.predicted.costPerHour };
  }

  /** Bisects the rate between the planned one and the plan's capacity. */
  #holdsUntilRps(): number {
    const capacity = this.#result.plan.predicted.capacityRps;
    let [low, high] = [Math.min(this.#problem.arrivalRps, capacity), capacity];
    for (let i = 0; i < BISECTIONS && high - low > RATE_PRECISION * high; i++) {
      const middle = (low + high) / 2;
      if (this.#holdsAt(middle)) low = middle;
      else high = middle;
    }
    return low;
  }

  #holdsAt(arrivalRps: number): boolean {
    const { spec, sloMs } = this.#setting;
    if (this.#verifierAt !== undefined) return showsSloMet(this.#verifierAt(arrivalRps)(this.#result.plan, spec.slo));
    const chosen = optionsOf(this.#setting, this.#result.plan);
    return chosen !== undefined && this.#latencyAt(chosen, arrivalRps) <= sloMs;
  }

  #latencyAt(chosen: readonly StageOption[], arrivalRps: number): number {
    const loads = stageLoads(this.#setting.spec, arrivalRps);
    return graphLatencyMs(this.#setting.graph, (s) => {
      const option = chosen[s] as StageOption;
      const before = this.#setting.stages[s];
      const load = before === undefined ? undefined : loads.get(before.stage.id);
      if (before === undefined || load === undefined) return 0;
      if (load.arrivalRps >= capacityRps(option.curve, option.replicas, option.maxBatchSize))
        return Number.POSITIVE_INFINITY;
      const setting = { ...before, load };
      const quick = optionTimes(setting, option);
      return optionLatencyMs(quick.exact ? quick : exactTimes(setting, option), this.#factors);
    });
  }

  #stages(): Readonly<Record<StageId, StageExplanation>> {
    const chosen = optionsOf(this.#setting, this.#result.plan) ?? [];
    const { sloMs, graph } = this.#setting;
    const cost = this.#result.plan.predicted.costPerHour;
    const latency = (s: number): number => {
      const [setting, option] = [this.#setting.stages[s], chosen[s]];
      if (setting === undefined || option === undefined) return 0;
      return optionLatencyMs(option.exact ? option : exactTimes(setting, option), this.#factors);
    };
    const latencies = this.#setting.spec.stages.map((_, s) => latency(s));
    const visits = stageLoads(this.#setting.spec, 1);
    const whole = graphLatencyMs(graph, (s) => latencies[s] ?? 0);
    return Object.fromEntries(
      this.#setting.spec.stages.map((stage, s): [string, StageExplanation] => {
        const latencyMs = latencies[s] ?? 0;
        const without = graphLatencyMs(graph, (t) => (t === s ? 0 : (latencies[t] ?? 0)));
        return [
          stage.id,
          {
            latencyMs,
            sloFraction: (whole - without) / sloMs,
            costFraction: cost > 0 ? (chosen[s]?.use[3] ?? 0) / cost : 0,
            capacityRps: (chosen[s]?.capacityRps ?? 0) / (visits.get(stage.id)?.visits || 1),
            ...this.#rejected(s, chosen[s]),
          },
        ];
      }),
    );
  }

  /** The neighbours of the chosen variant in accuracy. */
  #rejected(s: number, chosen: StageOption | undefined): Pick<StageExplanation, 'nextBetter' | 'nextCheaper'> {
    const stage = this.#setting.spec.stages[s];
    if (stage === undefined || chosen === undefined) return {};
    const own = variantAccuracy(stage, chosen.variantId);
    const others = stage.variants.map((variant) => ({ id: variant.id, accuracy: variantAccuracy(stage, variant.id) }));
    const better = others.filter((v) => v.accuracy > own).sort((a, b) => a.accuracy - b.accuracy)[0];
    const cheaper = others.filter((v) => v.accuracy < own).sort((a, b) => b.accuracy - a.accuracy)[0];
    return {
      ...(better === undefined ? {} : { nextBetter: { variantId: better.id, verdict: this.#verdictOn(s, better.id) } }),
      ...(cheaper === undefined
        ? {}
        : { nextCheaper: { variantId: cheaper.id, verdict: this.#verdictOn(s, cheaper.id) } }),
    };
  }

  #verdictOn(s: number, variantId: VariantId): VariantVerdict {
    const { objective, accuracy } = this.#setting;
    const held = this.#holding(s, variantId);
    const choice = this.#best(held);
    if (choice === undefined) return { kind: 'impossible', bindingConstraint: this.#bindingOf(held, s) };
    const value = objectiveValue(objective, accuracy, choice);
    const costPerHour = costOf(choice);
    const worse = isBetter(objective, this.#result.objectiveValue, value);
    return { kind: worse ? 'worse' : 'dearer', value, costPerHour };
  }

  #best(problem: PlanningProblem): readonly SurrogateOption[] | undefined {
    return new SurrogateSolver(planningSetting(problem)).solve(this.#factors).choice;
  }

  /** The problem with one stage held to a variant. */
  #holding(s: number, variantId: VariantId): PlanningProblem {
    const pins = this.#setting.spec.stages.map((stage, t) => [
      stage.id,
      t === s ? { ...stage.pins, variantId } : stage.pins,
    ]);
    return { ...this.#problem, pins: Object.fromEntries(pins) };
  }

  #bindingOf(held: PlanningProblem, s: number): BindingConstraint {
    const { percentile } = this.#setting.spec.slo;
    if (this.#best({ ...held, slo: { latencyMs: Number.MAX_VALUE, percentile } }) !== undefined) return 'slo';
    const unlimited = { ...held, budget: {} };
    if (this.#best(unlimited) !== undefined) return 'budget';
    return planningSetting(unlimited).options[s]?.length === 0 ? 'capacity' : 'accuracy-floor';
  }
}

/** Verification at an arrival rate. */
export type VerifierAt = (arrivalRps: number) => VerifyPlan;

/** Explains a plan of `optimize` for the same problem, by simulation where the plan was verified. */
export const explainPlan = (
  problem: PlanningProblem,
  result: FeasibleResult,
  verifierAt?: VerifierAt,
): PlanExplanation => new Explainer(problem, result, verifierAt).explain();
