import { describe, expect, it } from 'vitest';

import { SeededRng } from '../../kernel/rng.js';
import { poissonCount } from './poisson-counts.test-support.js';
import { rateBehindPeak } from './rate-behind-peak.js';

const usual = { seconds: 20, fraction: 0.95, dispersion: 1 };

describe('rateBehindPeak', () => {
  it.each([20, 60, 200])('is the rate whose peaks stay below it as often as asked: %d rps', (rateRps) => {
    const rng = new SeededRng(3);
    const peaks = Array.from({ length: 4000 }, () =>
      Math.max(...Array.from({ length: 20 }, () => poissonCount(rng, rateRps))),
    );
    for (const fraction of [0.5, 0.95]) {
      const peak = peaks.toSorted((a, b) => a - b)[Math.floor(fraction * peaks.length)] as number;
      const found = rateBehindPeak(peak, { ...usual, fraction });
      // Counts are whole and a little lopsided: a request and a half.
      expect(Math.abs(found - rateRps)).toBeLessThan(1.5 + 0.02 * rateRps);
    }
  });

  it('is the peak itself where counts do not vary, less the more they do, and never below 0', () => {
    expect(rateBehindPeak(50, { ...usual, dispersion: 0 })).toBeCloseTo(50, 9);
    const byDispersion = [0, 1, 2, 8].map((dispersion) => rateBehindPeak(50, { ...usual, dispersion }));
    expect(byDispersion).toEqual(byDispersion.toSorted((a, b) => b - a));
    expect(rateBehindPeak(0, usual)).toBe(0);
    expect(rateBehindPeak(50, { ...usual, seconds: 1, fraction: 0.5 })).toBeCloseTo(50, 9);
  });
});
