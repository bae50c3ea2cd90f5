/**
 * End-to-end accuracies of variant combinations, measured or computed by `equipoise evaluate`. Stages interact, so they
 * take precedence over the product of the accuracies of stages.
 */
import type { StageId, VariantId } from './ids.js';

/** `variants`: choices of stages (see `choicesOf`); may omit stages that have a single one. */
export interface MeasuredCombination {
  readonly variants: Readonly<Record<StageId, VariantId>>;
  /** Fraction 0…1. */
  readonly accuracy: number;
  readonly confidence95?: readonly [number, number];
  readonly samples?: number;
  /** False if computed from measured combinations; default true. */
  readonly measured?: boolean;
}

/** Measured agreement of a variant with the shadow of its stage: mean score (0…1) of `items` answers to equal inputs. */
export interface MeasuredAgreement {
  readonly stage: StageId;
  readonly variant: VariantId;
  readonly shadow: VariantId;
  readonly agreement: number;
  readonly confidence95: readonly [number, number];
  readonly items: number;
}

export interface AccuracyTable {
  readonly combinations: readonly MeasuredCombination[];
  readonly agreements?: readonly MeasuredAgreement[];
  /** Root mean square errors for measured combinations: of computing each from the others, and of the product. */
  readonly modelError?: number;
  readonly productError?: number;
}

export function measuredCombination(
  table: AccuracyTable | undefined,
  choice: Readonly<Record<StageId, VariantId>>,
): MeasuredCombination | undefined {
  return table?.combinations.find((combination) =>
    Object.entries(combination.variants).every(([stage, variant]) => choice[stage as StageId] === variant),
  );
}
