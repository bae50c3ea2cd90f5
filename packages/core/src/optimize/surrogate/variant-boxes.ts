/**
 * Splits the variant combinations into boxes. A box has one accuracy: a measured value, or the product. Each
 * measurement splits a box into the part that it covers and, stage by stage, the rest.
 */
import type { AccuracyModel, MeasuredVariants } from '../problem/accuracy-model.js';

/** `measured`: accuracy (fraction) of all combinations in the box; undefined if the product counts. */
export interface VariantBox {
  readonly variants: readonly (readonly number[])[];
  readonly measured: number | undefined;
}

interface OpenBox {
  readonly variants: readonly (readonly number[])[];
  readonly entries: readonly MeasuredVariants[];
}

const meetsEntry = (variants: OpenBox['variants'], entry: MeasuredVariants): boolean =>
  entry.variants.every((wanted, s) => wanted === undefined || (variants[s] ?? []).includes(wanted));

/** Parts of a box outside `entry`. Part k first differs from `entry` at stage k. */
function boxesOutside(variants: OpenBox['variants'], entry: MeasuredVariants): readonly OpenBox['variants'][] {
  return variants.flatMap((allowed, s) => {
    const wanted = entry.variants[s];
    const others = allowed.filter((v) => v !== wanted);
    if (wanted === undefined || others.length === 0) return [];
    return [variants.map((list, t) => (t === s ? others : t < s ? variantsInside(list, entry.variants[t]) : list))];
  });
}

const variantsInside = (allowed: readonly number[], wanted: number | undefined): readonly number[] =>
  wanted === undefined ? allowed : [wanted];

/** Boxes of the combinations with a known accuracy. `variants`: those to choose from, by stage. */
export function variantBoxes(variants: OpenBox['variants'], accuracy: AccuracyModel): readonly VariantBox[] {
  const boxes: VariantBox[] = [];
  const open: OpenBox[] = [{ variants, entries: accuracy.measured }];
  for (let box = open.pop(); box !== undefined; box = open.pop()) {
    const current = box.variants;
    const entries = box.entries.filter((entry) => meetsEntry(current, entry));
    const [first, ...later] = entries;
    if (first === undefined) {
      if (accuracy.productCounts) boxes.push({ variants: current, measured: undefined });
      continue;
    }
    boxes.push({
      variants: current.map((list, s) => variantsInside(list, first.variants[s])),
      measured: first.accuracy,
    });
    for (const part of boxesOutside(current, first)) open.push({ variants: part, entries: later });
  }
  return boxes;
}
