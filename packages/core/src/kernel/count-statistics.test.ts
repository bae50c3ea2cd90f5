import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { centralMoment, countsInWindows, dispersionOf, meanOf, quantileOfSorted } from './count-statistics.js';

describe('count statistics', () => {
  it('counts instants in whole windows and leaves out what lies beyond', () => {
    const windows = { fromMs: 1000, toMs: 4500, windowMs: 1000 };
    expect(countsInWindows([999, 1000, 1999.9, 2000, 3999, 4000, 4499], windows)).toEqual([2, 1, 1]);
    expect(countsInWindows([1], { fromMs: 5, toMs: 0, windowMs: 1 })).toEqual([]);
  });

  it('counts every instant of the windows once (property)', () => {
    const instants = fc.array(fc.double({ min: 0, max: 9999, noNaN: true }), { maxLength: 50 });
    fc.assert(
      fc.property(instants, (atMs) => {
        const counts = countsInWindows(atMs, { fromMs: 0, toMs: 10_000, windowMs: 250 });
        expect(counts.reduce((a, b) => a + b, 0)).toBe(atMs.length);
      }),
      { seed: 3 },
    );
  });

  it('knows moments and dispersion', () => {
    expect([meanOf([1, 2, 6]), centralMoment([1, 2, 6], 2), centralMoment([1, 2, 6], 3)]).toEqual([3, 14 / 3, 6]);
    expect(dispersionOf([1, 2, 6])).toBeCloseTo(14 / 9, 12);
    expect([meanOf([]), dispersionOf([]), dispersionOf([0, 0])]).toEqual([0, 0, 0]);
  });

  it('interpolates quantiles', () => {
    expect([0, 0.5, 0.75, 1].map((fraction) => quantileOfSorted([1, 3, 7], fraction))).toEqual([1, 3, 5, 7]);
    expect(quantileOfSorted([], 0.5)).toBe(0);
  });
});
