import { describe, expect, it } from 'vitest';
import { countsInWindows } from '../../kernel/count-statistics.js';
import { SeededRng } from '../../kernel/rng.js';
import { instantsOf } from './arrivals.test-support.js';
import { arrivalsOf, type LoadSpec } from './load-spec.js';
import { piecewiseLinearArrivals } from './varying-rate.js';

/** Loads, each with the requests per quarter that its formula gives. */
const cases: readonly (readonly [LoadSpec, readonly number[]])[] = [
  [
    { kind: 'daily-cycle', arrivalRps: 100, swingFraction: 0.5, periodS: 400, durationS: 400 },
    // ∫ over a quarter of 100·(1 − 0.5·cos): 10,000 ∓ 5000·2/π.
    [10_000 - 10_000 / Math.PI, 10_000 + 10_000 / Math.PI, 10_000 + 10_000 / Math.PI, 10_000 - 10_000 / Math.PI],
  ],
  [{ kind: 'step', fromRps: 20, toRps: 80, atS: 300, durationS: 400 }, [2000, 2000, 2000, 8000]],
  [{ kind: 'step', fromRps: 80, toRps: 0, atS: 200, durationS: 400 }, [8000, 8000, 0, 0]],
  [{ kind: 'ramp', fromRps: 0, toRps: 160, durationS: 400 }, [2000, 6000, 10_000, 14_000]],
  [{ kind: 'ramp', fromRps: 160, toRps: 0, durationS: 400 }, [14_000, 10_000, 6000, 2000]],
  [
    {
      kind: 'square-wave',
      levels: [
        { arrivalRps: 10, holdS: 150 },
        { arrivalRps: 90, holdS: 50 },
      ],
      durationS: 400,
    },
    [1000, 5000, 1000, 5000],
  ],
  [
    {
      kind: 'piecewise-linear',
      points: [
        { atS: 0, arrivalRps: 0 },
        { atS: 200, arrivalRps: 80 },
        { atS: 200, arrivalRps: 20 },
        { atS: 400, arrivalRps: 20 },
      ],
    },
    [2000, 6000, 2000, 2000],
  ],
];

describe('arrivals of a changing rate', () => {
  it.each(cases)('follow the formula of %j', (load, expected) => {
    for (const seed of [1, 2, 3]) {
      const instants = instantsOf(arrivalsOf(load, new SeededRng(seed)));
      const counts = countsInWindows(instants, { fromMs: 0, toMs: 400_000, windowMs: 100_000 });
      counts.forEach((count, quarter) => {
        const mean = expected[quarter] as number;
        expect(Math.abs(count - mean)).toBeLessThanOrEqual(4 * Math.sqrt(mean));
      });
      expect(instants.at(-1)).toBeLessThan(400_000);
    }
  });

  it('begin with the first point and end with the last', () => {
    const points = [
      { atS: 10, arrivalRps: 50 },
      { atS: 20, arrivalRps: 50 },
    ];
    const instants = instantsOf(piecewiseLinearArrivals(points, new SeededRng(1)));
    expect(instants[0]).toBeGreaterThan(10_000);
    expect(instants.at(-1)).toBeLessThan(20_000);
    expect(instants.length).toBeGreaterThan(400);
    expect(instantsOf(piecewiseLinearArrivals([], new SeededRng(1)))).toEqual([]);
  });
});
