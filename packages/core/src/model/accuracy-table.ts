/**
 * End-to-end accuracies of variant combinations, measured by `equipoise evaluate`. Stages interact, so a measurement
 * takes precedence over the product of their accuracies.
 */
import type { StageId, VariantId } from './ids.js';

/** `variants` may omit stages that have a single variant. */
export interface MeasuredCombination {
  readonly variants: Readonly<Record<StageId, VariantId>>;
  /** Fraction 0…1. */
  readonly accuracy: number;
  readonly confidence95?: readonly [number, number];
  readonly samples?: number;
  readonly measured?: boolean;
}

export interface AccuracyTable {
  readonly combinations: readonly MeasuredCombination[];
}

/** Fraction; undefined if not measured. */
export function measuredAccuracy(
  table: AccuracyTable | undefined,
  choice: Readonly<Record<StageId, VariantId>>,
): number | undefined {
  return measuredCombination(table, choice)?.accuracy;
}

export function measuredCombination(
  table: AccuracyTable | undefined,
  choice: Readonly<Record<StageId, VariantId>>,
): MeasuredCombination | undefined {
  return table?.combinations.find((combination) =>
    Object.entries(combination.variants).every(([stage, variant]) => choice[stage as StageId] === variant),
  );
}
