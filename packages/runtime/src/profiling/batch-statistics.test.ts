import { SeededRng } from '@equipoise/core/model';
import { describe, expect, it } from 'vitest';
import { BatchTimes, quantileInterval, quantileOfSorted } from './batch-statistics.js';

const timesOf = (values: Iterable<number>): BatchTimes => {
  const times = new BatchTimes();
  for (const value of values) times.add(value);
  return times;
};

describe('batch statistics', () => {
  it('has nearest-rank quantiles', () => {
    const sorted = timesOf([3, 1, 2, 20, 10]).sorted();
    expect([0, 0.2, 0.21, 0.5, 0.99, 1].map((fraction) => quantileOfSorted(sorted, fraction))).toEqual([
      1, 1, 2, 3, 20, 20,
    ]);
  });

  it('knows how sure a mean is: ±1.96·s/√n', () => {
    const times = timesOf([9, 11, 9, 11]);
    expect(times.meanMs).toBe(10);
    expect(times.meanUncertaintyFraction()).toBeCloseTo((1.959964 * Math.sqrt(4 / 3 / 4)) / 10, 12);
    expect(timesOf([5]).meanUncertaintyFraction()).toBe(Number.POSITIVE_INFINITY);
  });

  it('bounds a quantile by the ranks that the exact binomial gives, and only where the sample reaches beyond it', () => {
    const ranks = (count: number) => Float64Array.from({ length: count }, (_, index) => index + 1);
    expect(quantileInterval(ranks(367), 0.99)).toBeUndefined();
    expect(quantileInterval(ranks(368), 0.99)).toEqual({ lowMs: expect.any(Number), highMs: 368 });
    // The textbook interval of a median of 20: ranks 6 and 15.
    expect(quantileInterval(ranks(20), 0.5)).toEqual({ lowMs: 6, highMs: 15 });
    for (const [count, fraction] of [
      [368, 0.99],
      [500, 0.99],
      [1000, 0.99],
      [60, 0.9],
    ] as const) {
      const { lowMs: low = 0, highMs: high = 0 } = quantileInterval(ranks(count), fraction) ?? {};
      const [below, above, next] = [low - 1, high - 1, high - 2].map((k) => binomialAtMost(count, fraction, k));
      expect(below).toBeLessThanOrEqual(0.025);
      expect(binomialAtMost(count, fraction, low)).toBeGreaterThan(0.025);
      expect(1 - (above ?? 0)).toBeLessThanOrEqual(0.025 + 1e-12);
      expect(1 - (next ?? 0)).toBeGreaterThan(0.025);
    }
    expect(quantileInterval(ranks(200_000), 0.99)).toEqual({
      lowMs: expect.closeTo(198_000 - 1.96 * 44.5, -1),
      highMs: expect.closeTo(198_000 + 1.96 * 44.5, -1),
    });
  });

  it('contains the true mean and p99 of an exponential law at least about 95 times in 100', () => {
    const rng = new SeededRng(3);
    let meanHits = 0;
    let p99Hits = 0;
    for (let run = 0; run < 400; run++) {
      const times = timesOf(Array.from({ length: 1000 }, () => -Math.log(1 - rng.next())));
      const interval = quantileInterval(times.sorted(), 0.99) ?? { lowMs: 0, highMs: 0 };
      if (Math.abs(times.meanMs - 1) <= times.meanUncertaintyFraction() * times.meanMs) meanHits += 1;
      if (interval.lowMs <= -Math.log(0.01) && -Math.log(0.01) < interval.highMs) p99Hits += 1;
    }
    expect(meanHits / 400).toBeGreaterThan(0.92);
    expect(meanHits / 400).toBeLessThan(0.98);
    expect(p99Hits / 400).toBeGreaterThan(0.935);
    expect(p99Hits / 400).toBeLessThan(0.99);
  });
});

/** P(B ≤ k) of a binomial count, summed term by term. */
function binomialAtMost(n: number, fraction: number, k: number): number {
  // In logarithms, because the first terms would underflow.
  let logTerm = n * Math.log(1 - fraction);
  let sum = 0;
  for (let i = 0; i <= k; i++) {
    sum += Math.exp(logTerm);
    logTerm += Math.log(((n - i) / (i + 1)) * (fraction / (1 - fraction)));
  }
  return sum;
}
