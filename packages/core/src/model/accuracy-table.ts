/**
 * End-to-end accuracies measured for combinations of variants, as `equipoise evaluate` writes them. Stages interact, so
 * a measurement wins over the product of stage accuracies (IPA, JSys 2024, uses the product alone).
 */
import type { StageId, VariantId } from './ids.js';

/** One measured combination. Stages with a single variant may be absent from `variants`. */
export interface MeasuredCombination {
  readonly variants: Readonly<Record<StageId, VariantId>>;
  /** Fraction 0…1. */
  readonly accuracy: number;
  /** 95 % interval of the accuracy. */
  readonly confidence95?: readonly [number, number];
  readonly samples?: number;
  readonly measured?: boolean;
}

export interface AccuracyTable {
  readonly combinations: readonly MeasuredCombination[];
}

/** Measured accuracy (fraction) of a full choice of variants; undefined if not measured. */
export function measuredAccuracy(
  table: AccuracyTable | undefined,
  choice: Readonly<Record<StageId, VariantId>>,
): number | undefined {
  return table?.combinations.find((combination) =>
    Object.entries(combination.variants).every(([stage, variant]) => choice[stage as StageId] === variant),
  )?.accuracy;
}
