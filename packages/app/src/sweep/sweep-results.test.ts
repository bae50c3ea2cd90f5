import { expect, it } from 'vitest';
import { bestOf, type SweptPoint } from './sweep-results.js';

/** Only what decides. */
const point = (accuracy: number, costPerHour: number, verdict: SweptPoint['verdict'] = 'met'): SweptPoint => ({
  ...{ subject: 'plan.json', at: {}, slo: { latencyMs: 100, percentile: 99 }, verdict },
  figures: { pasMean: { mean: accuracy }, costPerHourMean: { mean: costPerHour } } as NonNullable<
    SweptPoint['figures']
  >,
});

it('finds the cheapest and the most accurate point that meets the SLO', () => {
  const points = [point(0.7, 3), point(0.6, 2), point(0.9, 1, 'missed'), point(0.8, 5)];
  expect(bestOf(points)).toEqual({ cheapest: 1, mostAccurate: 3 });
  expect(bestOf([point(0.9, 1, 'inconclusive')])).toEqual({});
});

it('lets no rounding error decide between equally good points', () => {
  const points = [point(0.774, 5), point(0.774 + 1e-13, 9), point(0.774 + 2e-13, 5 - 1e-13)];
  expect(bestOf(points)).toEqual({ cheapest: 0, mostAccurate: 0 });
});

it('takes the cheaper of two equally accurate points, and the more accurate of two equally cheap ones', () => {
  expect(bestOf([point(0.8, 5), point(0.8, 4), point(0.7, 2), point(0.75, 2)])).toEqual({
    cheapest: 3,
    mostAccurate: 1,
  });
});
