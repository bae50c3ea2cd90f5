/** What an explanation says; every figure comes from a solve with one thing changed. */
import type { StageId, VariantId } from '../../model/ids.js';
import type { BindingConstraint } from '../../model/plan.js';

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
  /** Better, but the stage is pinned to another. */
  | { readonly kind: 'pinned'; readonly value: number; readonly costPerHour: number }
  /** Better by the estimate, but no plan with it was found that holds in simulation. */
  | { readonly kind: 'refuted'; readonly value: number; readonly costPerHour: number }
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
  /** The next more accurate variant, and the next that costs less per item. */
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
