/**
 * Cuts the combinations of variants into boxes on which the accuracy has one form: a measured number, or the product. Measurements are taken
 * in their order; each splits the boxes that it meets into the part that it covers and, stage by stage, the parts that it does not.
 */
import type { AccuracyModel, MeasuredVariants } from '../problem/accuracy-model.js';

/** Variants allowed per stage; `measured` is the accuracy (fraction) of all their combinations, undefined where the product counts. */
export interface VariantBox {
  readonly variants: readonly (readonly number[])[];
  readonly measured: number | undefined;
}

interface OpenBox {
  readonly variants: readonly (readonly number[])[];
  /** Measurements that may meet the box, in their order. */
  readonly entries: readonly MeasuredVariants[];
}

const meets = (variants: OpenBox['variants'], entry: MeasuredVariants): boolean =>
  entry.variants.every((wanted, s) => wanted === undefined || (variants[s] ?? []).includes(wanted));

/** The parts of a box outside of `entry`: those that differ first in stage 0, in stage 1, … */
function outside(variants: OpenBox['variants'], entry: MeasuredVariants): readonly OpenBox['variants'][] {
  return variants.flatMap((allowed, s) => {
    const wanted = entry.variants[s];
    const others = allowed.filter((v) => v !== wanted);
    if (wanted === undefined || others.length === 0) return [];
    return [variants.map((list, t) => (t === s ? others : t < s ? inside(list, entry.variants[t]) : list))];
  });
}

const inside = (allowed: readonly number[], wanted: number | undefined): readonly number[] =>
  wanted === undefined ? allowed : [wanted];

/** All boxes over the given variants per stage. */
export function variantBoxes(variants: readonly (readonly number[])[], accuracy: AccuracyModel): readonly VariantBox[] {
  const boxes: VariantBox[] = [];
  const open: OpenBox[] = [{ variants, entries: accuracy.measured }];
  for (let box = open.pop(); box !== undefined; box = open.pop()) {
    const current = box.variants;
    const entries = box.entries.filter((entry) => meets(current, entry));
    const [first, ...later] = entries;
    if (first === undefined) {
      if (accuracy.productCounts) boxes.push({ variants: current, measured: undefined });
      continue;
    }
    boxes.push({ variants: current.map((list, s) => inside(list, first.variants[s])), measured: first.accuracy });
    for (const part of outside(current, first)) open.push({ variants: part, entries: later });
  }
  return boxes;
}
