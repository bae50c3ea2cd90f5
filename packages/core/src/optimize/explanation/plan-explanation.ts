/** Explanation; every figure comes from solving a changed problem. */
import type { StageId, VariantId } from '../../model/ids.js';
import type { BindingConstraint } from '../../model/plan.js';

/** Outcome of a changed problem; absent if it has no plan. */
export interface ChangedOutcome {
  readonly value?: number;
  readonly costPerHour?: number;
  readonly changedStages: readonly StageId[];
}

/** A variant's best plan is worse, equal but more expensive, or impossible because of a bound. */
export type VariantVerdict =
  | { readonly kind: 'worse'; readonly value: number; readonly costPerHour: number }
  | { readonly kind: 'dearer'; readonly value: number; readonly costPerHour: number }
  | { readonly kind: 'pinned'; readonly value: number; readonly costPerHour: number }
  /** Better by the estimate, but no plan with it was verified. */
  | { readonly kind: 'refuted'; readonly value: number; readonly costPerHour: number }
  | { readonly kind: 'impossible'; readonly bindingConstraint: BindingConstraint };

export interface RejectedVariant {
  readonly variantId: VariantId;
  readonly verdict: VariantVerdict;
}

export interface StageExplanation {
  /** Latency by the surrogate. The share of the SLO is 0 off the slowest path. */
  readonly latencyMs: number;
  readonly sloFraction: number;
  readonly costFraction: number;
  readonly capacityRps: number;
  readonly nextBetter?: RejectedVariant;
  readonly nextCheaper?: RejectedVariant;
}

/** Stages with the largest SLO share, the highest cost, and the lowest capacity. */
export interface BindingStages {
  readonly latency: StageId;
  readonly cost: StageId;
  readonly capacity: StageId;
}

/** Explanation of a plan; values are in the unit of the objective. */
export interface PlanExplanation {
  readonly value: number;
  readonly binding: BindingStages;
  readonly oneMoreCore?: ChangedOutcome;
  readonly tenMoreMs: ChangedOutcome;
  readonly tenPercentMoreLoad: ChangedOutcome;
  /** Feasible rate: to 1 % by simulation, otherwise by the surrogate. */
  readonly holdsUntilRps: number;
  readonly stages: Readonly<Record<StageId, StageExplanation>>;
}
