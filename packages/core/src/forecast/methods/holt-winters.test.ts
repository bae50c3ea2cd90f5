import { describe, expect, it } from 'vitest';
import { fitted, foretold } from './fitted.test-support.js';
import { holtWinters } from './holt-winters.js';

const weights = {
  smoothing: { level: 0.5, slope: 0.25, season: 0.2 },
  pointFactor: 1,
  upperFactor: 2,
  horizonBins: 2,
  binsPerSlot: 1,
  slots: 2,
};

describe('holtWinters', () => {
  it('is what the recursion gives by hand', () => {
    const memory = [10, 14, 12].reduce(
      (seen, value) => holtWinters.observe(weights, seen, value),
      holtWinters.begin(weights),
    );
    // First value 10: level 10.
    // 14 in slot 1: level 0.5·14 + 0.5·10 = 12, slope 0.25·2 = 0.5, season[1] = 0.2·(14 − 10) = 0.8.
    // 12 in slot 0: level 0.5·12 + 0.5·12.5 = 12.25, slope 0.25·0.25 + 0.75·0.5 = 0.4375, season[0] = 0.2·(12 − 12.5) =
    // −0.1.
    expect(memory).toEqual({
      bins: 3,
      level: expect.closeTo(12.25, 12),
      slope: expect.closeTo(0.4375, 12),
      season: [expect.closeTo(-0.1, 12), expect.closeTo(0.8, 12)],
    });
    // Forecasts: 12.25 + 0.4375 + 0.8 = 13.4875 in slot 1, then 12.25 + 0.875 − 0.1 = 13.025 in slot 0.
    expect(holtWinters.predict(weights, memory)).toEqual({
      pointRps: expect.closeTo(13.4875, 12),
      upperRps: expect.closeTo(26.975, 12),
    });
  });

  it('leaves a memory that it was given as it was', () => {
    const memory = { bins: 1, level: 10, slope: 0, season: [0, 0] };
    holtWinters.observe(weights, memory, 20);
    expect(memory.season).toEqual([0, 0]);
  });

  it('finds a slope where there is one', () => {
    const ramp = Array.from({ length: 300 }, (_, bin) => 10 + bin);
    const found = fitted(holtWinters, ramp);
    expect(found.smoothing.slope).toBeGreaterThan(0);
    expect(foretold(holtWinters, found, ramp).pointRps).toBeCloseTo(311, 0);
  });
});
