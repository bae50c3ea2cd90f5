import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countsInWindows, dispersionOf, meanOf } from '../../kernel/count-statistics.js';
import { SeededRng } from '../../kernel/rng.js';
import { instantsOf } from './arrivals.test-support.js';
import { type TraceSpread, traceArrivals, traceSpreads } from './trace.js';

const offsetsMs = (counts: readonly number[], spread: TraceSpread) =>
  instantsOf(traceArrivals(counts, new SeededRng(1), spread)).map((atMs) => atMs % 1000);

describe('trace replay', () => {
  it.each(traceSpreads)('keeps the count of every second and the order of time, spread %s (property)', (spread) => {
    const trace = fc.array(fc.oneof(fc.nat(3), fc.nat(500)), { maxLength: 30 });
    fc.assert(
      fc.property(trace, fc.nat(), (counts, seed) => {
        const instants = instantsOf(traceArrivals(counts, new SeededRng(seed), spread));
        expect(countsInWindows(instants, { fromMs: 0, toMs: counts.length * 1000, windowMs: 1000 })).toEqual(counts);
        expect(instants).toEqual(instants.toSorted((a, b) => a - b));
        expect(instants.length).toBe(counts.reduce((a, b) => a + b, 0));
      }),
      { seed: 8 },
    );
  });

  it('keeps counts where the random number is the last one below 1, late on a day', () => {
    const last = { next: () => 1 - 2 ** -32, fork: () => last };
    const counts = [...new Array<number>(86_399).fill(0), 4];
    for (const spread of traceSpreads) {
      const seconds = instantsOf(traceArrivals(counts, last, spread)).map((atMs) => Math.floor(atMs / 1000));
      expect(seconds).toEqual([86_399, 86_399, 86_399, 86_399]);
    }
  });

  it('uniform: equal distances', () => {
    expect(instantsOf(traceArrivals([2, 0, 1], new SeededRng(1), 'uniform'))).toEqual([250, 750, 2500]);
  });

  it('poisson: offsets are even over the second, and windows within it disperse as a Poisson process given its count', () => {
    const counts = new Array<number>(4000).fill(20);
    expect(Math.abs(meanOf(offsetsMs(counts, 'poisson')) - 500)).toBeLessThan(4 * (288.7 / Math.sqrt(80_000)));
    const instants = instantsOf(traceArrivals(counts, new SeededRng(2), 'poisson'));
    const tenths = countsInWindows(instants, { fromMs: 0, toMs: 4_000_000, windowMs: 100 });
    // Multinomial: variance 20·0.1·0.9.
    expect(Math.abs(dispersionOf(tenths) - 0.9)).toBeLessThan(4 * Math.sqrt(2 / tenths.length));
  });

  it.each([1, 2, 10, 50])(
    'bunched: offsets of %d requests follow the exponential law of mean 1 ÷ count, cut at 1 s',
    (count) => {
      const offsets = offsetsMs(new Array<number>(Math.ceil(40_000 / count)).fill(count), 'bunched');
      const within = 1 - Math.exp(-count);
      for (const shareOfMean of [0.25, 0.5, 0.9]) {
        const expected = (1 - Math.exp(-shareOfMean)) / within;
        const found = offsets.filter((offsetMs) => offsetMs < (1000 * shareOfMean) / count).length / offsets.length;
        expect(Math.abs(found - expected)).toBeLessThan(
          4 * Math.sqrt((expected * (1 - expected)) / offsets.length) + 1e-9,
        );
      }
    },
  );
});
