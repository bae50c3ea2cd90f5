/** Explanation; every figure comes from solving a changed problem. */
import type { StageId, VariantId } from '../../model/ids.js';
import type { BindingConstraint } from '../../model/plan.js';

/** Absent if no plan is left. */
export interface ChangedOutcome {
  readonly value?: number;
  readonly costPerHour?: number;
  readonly changedStages: readonly StageId[];
}

/** A variant's best plan is worse, equal but more expensive, or impossible because of a bound. */
export type VariantVerdict =
  | { readonly kind: 'worse'; readonly value: number; readonly costPerHour: number }
  | { readonly kind: 'dearer'; readonly value: number; readonly costPerHour: number }
  /** Better, but the stage is pinned. */
  | { readonly kind: 'pinned'; readonly value: number; readonly costPerHour: number }
  /** Better by the estimate, but no plan with it was verified. */
  | { readonly kind: 'refuted'; readonly value: number; readonly costPerHour: number }
  | { readonly kind: 'impossible'; readonly bindingConstraint: BindingConstraint };

export interface RejectedVariant {
  readonly variantId: VariantId;
  readonly verdict: VariantVerdict;
}

export interface StageExplanation {
  /** By the surrogate; the share of the SLO is 0 off the slowest path. */
  readonly latencyMs: number;
  readonly sloFraction: number;
  readonly costFraction: number;
  readonly capacityRps: number;
  readonly nextBetter?: RejectedVariant;
  readonly nextCheaper?: RejectedVariant;
}

/** Largest SLO share, highest cost, and lowest capacity. */
export interface BindingStages {
  readonly latency: StageId;
  readonly cost: StageId;
  readonly capacity: StageId;
}

/** In the unit of the objective. */
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
