/** Content of an explanation. Every figure comes from solving a changed problem. */
import type { StageId, VariantId } from '../../model/ids.js';
import type { BindingConstraint } from '../../model/plan.js';

/** Objective and cost after a change; absent if no plan is left. */
export interface ChangedOutcome {
  readonly value?: number;
  readonly costPerHour?: number;
  readonly changedStages: readonly StageId[];
}

/** Reason against a variant: its best plan is worse, equal but more expensive, or impossible because of a bound. */
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
  /** Surrogate latency, and its share of the SLO on the slowest path (else 0). */
  readonly latencyMs: number;
  readonly sloFraction: number;
  readonly costFraction: number;
  readonly capacityRps: number;
  /** Next more accurate variant, and next cheaper per item. */
  readonly nextBetter?: RejectedVariant;
  readonly nextCheaper?: RejectedVariant;
}

/** Stages with the largest SLO share, the highest cost, and the lowest capacity. */
export interface BindingStages {
  readonly latency: StageId;
  readonly cost: StageId;
  readonly capacity: StageId;
}

/** Values are in the unit of the objective. */
export interface PlanExplanation {
  readonly value: number;
  readonly binding: BindingStages;
  readonly oneMoreCore?: ChangedOutcome;
  readonly tenMoreMs: ChangedOutcome;
  readonly tenPercentMoreLoad: ChangedOutcome;
  /** Feasible rate of this plan: to 1 % by simulation, otherwise of the surrogate. */
  readonly holdsUntilRps: number;
  readonly stages: Readonly<Record<StageId, StageExplanation>>;
}
