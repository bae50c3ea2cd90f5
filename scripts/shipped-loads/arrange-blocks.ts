/**
 * Orders blocks of counts so that their sums have a wanted autocorrelation. Two blocks change places if that improves
 * the autocorrelation (constrained randomization; T. Schreiber, Phys. Rev. Lett. 80, 2105, 1998, here without a
 * temperature). No count changes, so all other statistics of the load stay the same.
 */
import { meanOf } from '../../packages/core/src/kernel/count-statistics.js';
import type { Rng } from '../../packages/core/src/kernel/rng.js';

type Block = readonly number[];

const ATTEMPTS = 20_000;

/** The blocks in another order; `wanted` is the autocorrelation of their sums from lag 1 on. */
export function arrangeBlocks(blocks: readonly Block[], wanted: readonly number[], rng: Rng): readonly Block[] {
  const order = [...blocks];
  const sums = order.map((block) => block.reduce((sum, count) => sum + count, 0));
  const mean = meanOf(sums);
  const deviations = Float64Array.from(sums, (sum) => sum - mean);
  const squares = deviations.reduce((sum, deviation) => sum + deviation * deviation, 0);
  const swap = (a: number, b: number) => {
    [order[a], order[b]] = [order[b] as Block, order[a] as Block];
    [deviations[a], deviations[b]] = [deviations[b] as number, deviations[a] as number];
  };

  // Deviation of each lag's sum of products from its target.
  let misses = wanted.map((value, i) => laggedProducts(deviations, i + 1) - value * squares);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const [a, b] = [Math.floor(rng.next() * order.length), Math.floor(rng.next() * order.length)];
    const before = misses.map((_, i) => productsWith(deviations, { a, b, lag: i + 1 }));
    swap(a, b);
    const swapped = misses.map((miss, i) => {
      return miss - (before[i] as number) + productsWith(deviations, { a, b, lag: i + 1 });
    });
    if (sumOfSquares(swapped) < sumOfSquares(misses)) misses = swapped;
    else swap(a, b);
  }
  return order;
}

/** Σ of products of values `lag` apart. */
function laggedProducts(values: Float64Array, lag: number): number {
  let sum = 0;
  for (let at = lag; at < values.length; at++) sum += (values[at] as number) * (values[at - lag] as number);
  return sum;
}

/** Part of the sum of products that involves the places `a` and `b`. */
function productsWith(values: Float64Array, { a, b, lag }: Readonly<Record<'a' | 'b' | 'lag', number>>): number {
  const around = (at: number) => (values[at] as number) * ((values[at - lag] ?? 0) + (values[at + lag] ?? 0));
  if (a === b) return around(a);
  const both = Math.abs(a - b) === lag ? (values[a] as number) * (values[b] as number) : 0;
  return around(a) + around(b) - both;
}

function sumOfSquares(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value * value, 0);
}
