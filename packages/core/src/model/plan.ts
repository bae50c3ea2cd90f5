/**
 * A plan: what should run, with what it is predicted to do. `PlanResult` is the planner's answer, feasible or not.
 */
import type { StageId, VariantId } from './ids.js';
import type { Budget, Resources } from './pipeline-spec.js';

/** The configuration of one variant inside a stage; `trafficFraction` (0…1) is its share of the stage's items. */
export interface StagePlan {
  readonly variantId: VariantId;
  readonly resources: Resources;
  readonly maxBatchSize: number;
  readonly maxBatchWaitMs: number;
  readonly replicas: number;
  readonly trafficFraction: number;
}

/** What the estimate says of a plan at the planned arrival rate. */
export interface PlanPrediction {
  /** Infinity, which JSON writes as null, where the load is above the capacity: then the queue grows for ever. */
  readonly latencyMs: number;
  readonly percentile: number;
  /** Pipeline accuracy score, fraction 0…1. */
  readonly pas: number;
  /** Largest stable arrival rate of the pipeline. */
  readonly capacityRps: number;
  readonly cpuCores: number;
  readonly costPerHour: number;
}

/** What simulation says of a plan at the planned arrival rate; `conclusive` when the 99 % interval clears the SLO. */
export interface PlanVerification {
  readonly latencyMs: number;
  readonly percentile: number;
  readonly sloAttainmentFraction: number;
  readonly conclusive: boolean;
  readonly seeds: readonly number[];
}

/** Whether a verification shows that the SLO is met; an inconclusive one does not. */
export function showsSloMet(verification: PlanVerification): boolean {
  return verification.conclusive && verification.sloAttainmentFraction >= verification.percentile / 100;
}

/** What should run. Each stage has a list so that a weighted mixture of variants is possible; today it holds one. */
export interface Plan {
  readonly stages: Readonly<Record<StageId, readonly StagePlan[]>>;
  readonly predicted: PlanPrediction;
  readonly verified?: PlanVerification;
}

/** What is proven of a plan, and by which computation. */
export interface Certificate {
  readonly claim: 'surrogate';
  readonly theta: number;
  readonly kappa: number;
  readonly optimal: boolean;
  readonly gapFraction: number;
  /** No plan that meets the SLO has a better objective value than this; for a baseline, no plan that its own rules admit. */
  readonly upperBound: number;
  readonly gapToBoundFraction: number;
  readonly solver: string;
  readonly elapsedMs: number;
  readonly labels: number;
}

/** The smallest single relaxations that make the problem feasible, each found by solving. */
export interface PlanFixes {
  readonly slo?: { readonly latencyMs: number };
  /** All of it at once: `cpuCores` always, the other resources where the budget bounds them. */
  readonly budget?: Budget & { readonly cpuCores: number };
  readonly accuracyFloor?: number;
}

/** Which bound makes the problem infeasible. */
export type BindingConstraint = 'slo' | 'budget' | 'accuracy-floor' | 'capacity';

/** The planner's answer. */
export type PlanResult =
  | {
      readonly kind: 'feasible';
      readonly plan: Plan;
      readonly objectiveValue: number;
      readonly certificate: Certificate;
    }
  | {
      readonly kind: 'infeasible';
      readonly proven: boolean;
      readonly bindingConstraint: BindingConstraint;
      readonly fixes: PlanFixes;
      readonly bestEffort?: Plan;
    };
