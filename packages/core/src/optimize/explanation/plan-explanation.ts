import type { StageId, VariantId } from '../../model/ids.js';
import type { BindingConstraint } from '../../model/plan.js';

/** Outcome of a changed problem. Without a plan, `value` and `costPerHour` are absent. */
export interface ChangedOutcome {
  readonly value?: number;
  readonly costPerHour?: number;
  readonly changedStages: readonly StageId[];
}

/** Verdict on a variant's best plan. `dearer`: equal in value but more expensive. `impossible`: a bound excludes it. */
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
  /** By the surrogate. `sloFraction` is 0 off the slowest path. */
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
  /** Feasible rate within 1 %, by simulation or else by the surrogate. */
  readonly holdsUntilRps: number;
  readonly stages: Readonly<Record<StageId, StageExplanation>>;
}
