/**
 * Arrivals from the previous stage, whose batches arrive as groups. The sojourn law of that stage gives the batch
 * sizes. Its batches depart at the rate at which their items arrived.
 */
import type { ServiceCurve } from '../profile/service-curves.js';

/** `sizes`: at the middle of each of `sizeParts`. `serviceMs`: time of a usual batch. */
export interface UpstreamBatches {
  readonly sizes: readonly number[];
  readonly serviceMs: number;
}

/** Parts of the items, ordered by the size of their batch. */
export const sizeParts: readonly { readonly weight: number; readonly middle: number }[] = [
  { weight: 0.5, middle: 0.25 },
  { weight: 0.2, middle: 0.6 },
  { weight: 0.2, middle: 0.8 },
  { weight: 0.08, middle: 0.94 },
  { weight: 0.02, middle: 0.99 },
];

/** Constant fitted to simulated pairs of stages with constant service times. */
const FORGETTING = 10;

/** Effective group size over long times, for groups of `size`, of which `lasting` arrive together anyway. */
export function lastingGroupSize(
  { size, lasting }: { readonly size: number; readonly lasting: number },
  { serviceMs }: UpstreamBatches,
  fullMs: number,
): number {
  return lasting + (size - lasting) / (1 + (FORGETTING * fullMs) / serviceMs);
}

/** Measured on chains, for large batches. */
const SLOW_TOGETHER = 0.3;

/** Fraction of requests that are slow both in this stage and before it, because a large batch is slow in both. */
export function slowTogether({ sizes }: UpstreamBatches): number {
  return SLOW_TOGETHER * (1 - 1 / (sizes.at(-1) ?? 1));
}

/** Batch size whose mean service time is `ms`, interpolated. */
export function sizeWithMean(curve: ServiceCurve, ms: number, largest: number): number {
  let [low, high] = [1, largest];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (curve.meanMs(middle) <= ms) low = middle;
    else high = middle;
  }
  const [lowMs, highMs] = [curve.meanMs(low), curve.meanMs(high)];
  return highMs > lowMs ? low + (high - low) * Math.max(0, Math.min(1, (ms - lowMs) / (highMs - lowMs))) : low;
}
