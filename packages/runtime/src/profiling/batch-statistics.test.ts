import { SeededRng } from '@equipoise/core';
import { describe, expect, it } from 'vitest';
import { BatchTimes, quantileOfSorted, quantileUncertaintyFraction } from './batch-statistics.js';

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

  it('bounds a quantile only by a sample that reaches beyond it', () => {
    const uniform = (count: number) => Float64Array.from({ length: count }, (_, index) => (index + 1) / count);
    expect(quantileUncertaintyFraction(uniform(300), 0.99)).toBe(Number.POSITIVE_INFINITY);
    expect(quantileUncertaintyFraction(uniform(10_000), 0.99)).toBeCloseTo(20 / 9900, 9);
  });

  it('contains the true mean and p99 of an exponential law about 95 times in 100', () => {
    const rng = new SeededRng(3);
    let meanHits = 0;
    let p99Hits = 0;
    for (let run = 0; run < 300; run++) {
      const times = timesOf(Array.from({ length: 1000 }, () => -Math.log(1 - rng.next())));
      const sorted = times.sorted();
      const p99 = quantileOfSorted(sorted, 0.99);
      if (Math.abs(times.meanMs - 1) <= times.meanUncertaintyFraction() * times.meanMs) meanHits += 1;
      // The interval is lopsided; twice its half width from the quantile holds all of it.
      if (Math.abs(p99 + Math.log(0.01)) <= 2 * quantileUncertaintyFraction(sorted, 0.99) * p99) p99Hits += 1;
    }
    expect(meanHits / 300).toBeGreaterThan(0.92);
    expect(meanHits / 300).toBeLessThan(0.98);
    expect(p99Hits / 300).toBeGreaterThan(0.93);
  });
});
