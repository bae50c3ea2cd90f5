import { expect, it } from 'vitest';
import { loadStatistics } from './load-statistics.js';

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
