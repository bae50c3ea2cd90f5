import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SeededRng } from '../../kernel/rng.js';
import { type BinCounts, noCounts, rateBehindPeak, readCounts } from './load-learning.js';
import { poissonCount } from './poisson-counts.test-support.js';

/** Reads a trace at ticks (s). Each tick sees the last `shown` seconds. */
function read(trace: readonly number[], ticks: readonly number[], shown: number) {
  let counts: BinCounts = noCounts;
  const maxima: number[] = [];
  for (const tick of ticks) {
    const arrivalsPerSecond = trace.slice(Math.max(0, tick - shown), tick);
    const one = readCounts(counts, { arrivalsPerSecond, atMs: 1000 * tick + 250 }, 10);
    counts = one.counts;
    maxima.push(...one.maximaRps);
  }
  return { counts, maxima };
}

describe('readCounts', () => {
  it('finds the maxima of the trace, however the ticks fall', () => {
    const anyTrace = fc.array(fc.nat(90), { minLength: 60, maxLength: 200 });
    const anySteps = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 4, maxLength: 20 });
    fc.assert(
      fc.property(anyTrace, anySteps, (trace, steps) => {
        let at = 0;
        const ticks = steps.map((step) => (at += step)).filter((tick) => tick <= trace.length);
        const whole = Math.floor((ticks.at(-1) ?? 0) / 10);
        const expected = Array.from({ length: whole }, (_, bin) => Math.max(...trace.slice(10 * bin, 10 * bin + 10)));
        expect(read(trace, ticks, 30).maxima).toEqual(expected);
      }),
      { seed: 1 },
    );
  });

  it('begins at a whole bin when it comes into the middle of one', () => {
    const trace = Array.from({ length: 40 }, (_, second) => second);
    expect(read(trace, [33], 20).maxima).toEqual([29]);
  });

  it('begins the bin anew behind a hole and when the clock was set back', () => {
    const trace = Array.from({ length: 60 }, (_, second) => second);
    expect(read(trace, [15, 45, 60], 15).maxima).toEqual([9, 39, 49, 59]);
    expect(read(trace, [28, 12, 20], 20).maxima).toEqual([19, 9, 19]);
  });
});

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
      // Tolerance of 1.5 requests: counts are whole and slightly skewed.
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
