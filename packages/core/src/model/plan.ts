import type { StageId, VariantId } from './ids.js';
import type { Budget, Resources } from './pipeline-spec.js';

/** `trafficFraction` (0…1) is the variant's share of the stage's items. Without replicas, the plan omits the stage. */
export interface StagePlan {
  readonly variantId: VariantId;
  readonly resources: Resources;
  readonly maxBatchSize: number;
  readonly maxBatchWaitMs: number;
  readonly replicas: number;
  readonly trafficFraction: number;
  /** Threshold of the conditions on the stage's answers, if the plan chooses one. */
  readonly threshold?: number;
  /** Quorum of the join whose choice the stage carries (`quorumChoices`). */
  readonly quorum?: number;
}

export interface PlanPrediction {
  /** Infinity (null in JSON) if the load exceeds the capacity. */
  readonly latencyMs: number;
  readonly percentile: number;
  /** Pipeline accuracy score, 0…1. */
  readonly pas: number;
  readonly capacityRps: number;
  readonly cpuCores: number;
  readonly costPerHour: number;
}

/** Prediction of a plan that was only read. No planned one has a capacity of 0. */
export const NO_PREDICTION: PlanPrediction = {
  latencyMs: 0,
  percentile: 0,
  pas: 0,
  capacityRps: 0,
  cpuCores: 0,
  costPerHour: 0,
};

/**
 * Result of simulation at the planned load. `conclusive`: the 99 % interval of the attainment excludes `percentile`.
 * With several seeds, the values are those of the run with more late requests.
 */
export interface PlanVerification {
  readonly latencyMs: number;
  readonly percentile: number;
  readonly sloAttainmentFraction: number;
  readonly conclusive: boolean;
  readonly seeds: readonly number[];
}

/** Peak of a stage in a simulation: largest batch, and number of replicas that ran a batch. */
export interface StagePeak {
  readonly batchSize: number;
  readonly replicas: number;
}

/**
 * One simulation run. `lowFraction`: lower end of the 99 % interval of the attainment. `peaks`: per stage, in file
 * order.
 */
export interface SimulatedRun extends PlanVerification {
  readonly lowFraction?: number;
  readonly peaks?: readonly StagePeak[];
}

/** True if the verification shows that the SLO is met. Inconclusive results show nothing. */
export function showsSloMet(verification: PlanVerification): boolean {
  return verification.conclusive && verification.sloAttainmentFraction >= verification.percentile / 100;
}

/** Each stage has a list with one entry. Later versions may allow weighted mixtures. */
export interface Plan {
  /** Number of routers, each with an equal share of the replicas. Default: 1. */
  readonly routers?: number;
  readonly stages: Readonly<Record<StageId, readonly StagePlan[]>>;
  readonly predicted: PlanPrediction;
  readonly verified?: PlanVerification;
}

/**
 * `simulated`: plans simulated in full. `looked`: plans simulated briefly. `exhausted`: no work limit stopped the
 * search. `skippedByEstimate`: candidates not simulated, as too unlikely to meet the SLO.
 */
export interface SearchEffort {
  readonly simulated: number;
  readonly looked: number;
  readonly exhausted: boolean;
  readonly skippedByEstimate: number;
}

export interface Certificate {
  readonly claim: 'surrogate';
  readonly theta: number;
  readonly kappa: number;
  readonly optimal: boolean;
  readonly gapFraction: number;
  /** Bound on the objective value of all plans that meet the SLO; for baselines, of plans within their rules. */
  readonly upperBound: number;
  readonly gapToBoundFraction: number;
  readonly solver: string;
  readonly elapsedMs: number;
  readonly labels: number;
  /** Absent if the search did not simulate. */
  readonly search?: SearchEffort;
}

/** Per bound, the smallest relaxation that makes the problem feasible by itself. */
export interface PlanFixes {
  readonly slo?: { readonly latencyMs: number };
  readonly budget?: Budget & { readonly cpuCores: number };
  readonly accuracyFloor?: number;
}

const bindingTexts = {
  slo: 'the latency target is too tight',
  budget: 'the budget is too small',
  'accuracy-floor': 'the accuracy floor is too high',
  'several-limits': 'several limits together are too tight',
  capacity: 'the allowed replicas cannot carry the load',
  'unmeasured-accuracy':
    'no allowed combination of variants has a measured accuracy (measure one with `equipoise evaluate`, or remove a pin)',
} as const;

export type BindingConstraint = keyof typeof bindingTexts;

export const bindingText = (binding: BindingConstraint): string => bindingTexts[binding];

interface NoPlan {
  readonly bindingConstraint: BindingConstraint;
  readonly fixes: PlanFixes;
  readonly bestEffort?: Plan;
}

/** `infeasible` is proven: even the relaxation has no plan. */
export type PlanResult =
  | {
      readonly kind: 'feasible';
      readonly plan: Plan;
      readonly objectiveValue: number;
      readonly certificate: Certificate;
    }
  | ({ readonly kind: 'infeasible'; readonly proven: true } & NoPlan)
  /** No plan was found. `tried` counts the judged plans. */
  | ({ readonly kind: 'not-found'; readonly tried: number } & NoPlan);
