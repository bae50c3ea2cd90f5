/**
 * End-to-end accuracies measured for whole combinations of variants, in the shape that `equipoise evaluate` writes.
 * Stages interact, so a measurement wins over the product of stage accuracies (IPA, JSys 2024, uses the product alone).
 */
import type { StageId, VariantId } from './ids.js';

/** One measured combination; stages with a single variant may be left out of `variants`. */
export interface MeasuredCombination {
  readonly variants: Readonly<Record<StageId, VariantId>>;
  /** Fraction 0…1. */
  readonly accuracy: number;
  /** 95 % interval of the accuracy. */
  readonly confidence95?: readonly [number, number];
  readonly samples?: number;
  readonly measured?: boolean;
}

/** All measured combinations of a pipeline. */
export interface AccuracyTable {
  readonly combinations: readonly MeasuredCombination[];
}

/** The measured accuracy (fraction) of a full choice of variants, or undefined where it was not measured. */
export function measuredAccuracy(
  table: AccuracyTable | undefined,
  choice: Readonly<Record<StageId, VariantId>>,
): number | undefined {
  return table?.combinations.find((combination) =>
    Object.entries(combination.variants).every(([stage, variant]) => choice[stage as StageId] === variant),
  )?.accuracy;
}
