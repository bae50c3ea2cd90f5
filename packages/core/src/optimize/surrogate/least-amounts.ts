/** Lower bounds on what choices cost and use, from the smallest amounts of each stage alone. */
import type { SurrogateOption } from '../options/surrogate.js';
import { type ResourceUse, withRounding } from '../problem/resource-use.js';

/** A price, then the use of each resource. */
export type Amounts = readonly [price: number, ...use: ResourceUse];

/** Smallest amounts of the options of a stage. */
export interface LeastAmounts {
  readonly byVariant: ReadonlyMap<number, Amounts>;
  readonly ofAny: Amounts;
}

const { POSITIVE_INFINITY: NEVER } = Number;
const IMPOSSIBLE: Amounts = [NEVER, NEVER, NEVER, NEVER, NEVER];

const smaller = (a: Amounts, b: Amounts): Amounts => [
  Math.min(a[0], b[0]),
  Math.min(a[1], b[1]),
  Math.min(a[2], b[2]),
  Math.min(a[3], b[3]),
  Math.min(a[4], b[4]),
];

export function leastAmounts(
  options: readonly SurrogateOption[],
  priceOf: (option: SurrogateOption) => number,
): LeastAmounts {
  const byVariant = new Map<number, Amounts>();
  for (const o of options) {
    const { variantIndex, use } = o.option;
    byVariant.set(variantIndex, smaller(byVariant.get(variantIndex) ?? IMPOSSIBLE, [priceOf(o), ...use]));
  }
  return { byVariant, ofAny: [...byVariant.values()].reduce(smaller, IMPOSSIBLE) };
}

/** `variant`: undefined accepts any. */
export const amountsOfVariant = ({ byVariant, ofAny }: LeastAmounts, variant: number | undefined): Amounts =>
  variant === undefined ? ofAny : (byVariant.get(variant) ?? IMPOSSIBLE);

export const amountsOfVariants = (least: LeastAmounts, variants: readonly number[]): Amounts =>
  variants.length === 1
    ? amountsOfVariant(least, variants[0])
    : variants.reduce((amounts, variant) => smaller(amounts, amountsOfVariant(least, variant)), IMPOSSIBLE);

/**
 * Lowest price of a choice that takes at least these amounts, one for each of `stages`. Infinite if none is within the
 * limits.
 */
export function leastPriceOf(
  stages: readonly LeastAmounts[],
  amountsOf: (stage: LeastAmounts, index: number) => Amounts,
  limits: ResourceUse,
): number {
  let [price, cpuCores, memoryBytes, gpus, costPerHour] = [0, 0, 0, 0, 0];
  for (let s = 0; s < stages.length; s++) {
    const each = amountsOf(stages[s] as LeastAmounts, s);
    price += each[0];
    cpuCores += each[1];
    memoryBytes += each[2];
    gpus += each[3];
    costPerHour += each[4];
  }
  const isWithin =
    cpuCores <= withRounding(limits[0]) &&
    memoryBytes <= withRounding(limits[1]) &&
    gpus <= withRounding(limits[2]) &&
    costPerHour <= withRounding(limits[3]);
  return isWithin ? price : NEVER;
}
