import { expect, it } from 'vitest';
import { autocorrelation, blockSums, loadStatistics } from './load-statistics.js';

it('describes a load by its counts per second', () => {
  // Forty blocks of 10 s: 10, 30, 10, 30 … requests, one or three a second.
  const counts = Array.from({ length: 400 }, (_, second) => (Math.floor(second / 10) % 2 === 0 ? 1 : 3));
  expect(loadStatistics(counts)).toEqual({
    seconds: 400,
    requests: 800,
    meanRps: 2,
    minRps: 1,
    medianRps: 2,
    p95Rps: 3,
    p99Rps: 3,
    maxRps: 3,
    stdRps: 1,
    dispersionAt1s: 0.5,
    dispersionAt10s: 5,
    autocorrelationAt10s: Array.from({ length: 10 }, (_, i) =>
      expect.closeTo((i % 2 === 0 ? -1 : 1) * ((39 - i) / 40), 12),
    ),
  });
});

it('sums whole blocks', () => {
  expect(blockSums([1, 2, 3, 4, 5], 2)).toEqual([3, 7]);
});

it('correlates a list with itself, shifted', () => {
  const alternating = Array.from({ length: 100 }, (_, i) => i % 2);
  expect(autocorrelation(alternating, 2)).toEqual([-0.99, 0.98]);
  expect(autocorrelation([1, 2, 6], 2)).toEqual([(2 - 3) / 14, -6 / 14].map((value) => expect.closeTo(value, 12)));
  expect(autocorrelation([4, 4, 4], 1)).toEqual([0]);
});
