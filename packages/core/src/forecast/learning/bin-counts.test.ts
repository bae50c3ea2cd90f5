import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BinCounts, noCounts, readCounts } from './bin-counts.js';

/** Reads a trace at the given ticks (s), each time shown the last `shown` seconds. */
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
