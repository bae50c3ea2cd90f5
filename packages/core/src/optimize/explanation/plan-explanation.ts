import type { StageId, VariantId } from '../../model/ids.js';
import type { BindingConstraint } from '../../model/plan.js';

/** Outcome of a changed problem. If it has no plan, `value` and `costPerHour` are absent. */
export interface ChangedOutcome {
  readonly value?: number;
  readonly costPerHour?: number;
  readonly changedStages: readonly StageId[];
}

/**
 * Verdict on the best plan with a variant. `dearer`: equal value, higher cost. `impossible`: a bound excludes the
 * variant.
 */
export type VariantVerdict =
  | { readonly kind: 'worse'; readonly value: number; readonly costPerHour: number }
  | { readonly kind: 'dearer'; readonly value: number; readonly costPerHour: number }
  | { readonly kind: 'pinned'; readonly value: number; readonly costPerHour: number }
  /** Better by the estimate, but no plan with the variant was verified. */
  | { readonly kind: 'refuted'; readonly value: number; readonly costPerHour: number }
  | { readonly kind: 'impossible'; readonly bindingConstraint: BindingConstraint };

export interface RejectedVariant {
  readonly variantId: VariantId;
  readonly verdict: VariantVerdict;
}

export interface StageExplanation {
  /** Estimated by the surrogate. `sloFraction` is 0 outside the slowest path. */
  readonly latencyMs: number;
  readonly sloFraction: number;
  readonly costFraction: number;
  readonly capacityRps: number;
  readonly nextBetter?: RejectedVariant;
  readonly nextCheaper?: RejectedVariant;
}

/** Stages with the largest share of the SLO, the highest cost and the lowest capacity. */
export interface BindingStages {
  readonly latency: StageId;
  readonly cost: StageId;
  readonly capacity: StageId;
}

/** `value` is in the unit of the objective. */
export interface PlanExplanation {
  readonly value: number;
  readonly binding: BindingStages;
  readonly oneMoreCore?: ChangedOutcome;
  readonly tenMoreMs: ChangedOutcome;
  readonly tenPercentMoreLoad: ChangedOutcome;
  /** Feasible rate to 1 %, by simulation if available, otherwise by the surrogate. */
  readonly holdsUntilRps: number;
  readonly stages: Readonly<Record<StageId, StageExplanation>>;
}
