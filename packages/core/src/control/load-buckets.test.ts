import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backlogBucketEnd, burstinessClass, envelopeBucketEnd, rateBucketEnd } from './load-buckets.js';

describe('load buckets', () => {
  it('never round down, and by no more than their width', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-3, max: 1e5, noNaN: true }), (value) => {
        expect(rateBucketEnd(value)).toBeGreaterThanOrEqual(value * (1 - 1e-8));
        expect(rateBucketEnd(value)).toBeLessThanOrEqual(value * 1.05 * (1 + 1e-8));
        expect(backlogBucketEnd(value)).toBeGreaterThanOrEqual(value * (1 - 1e-8));
        const [window] = envelopeBucketEnd([{ windowS: 1, arrivals: value }]);
        expect(window?.arrivals).toBeGreaterThanOrEqual(value * (1 - 1e-8));
      }),
      { seed: 1 },
    );
  });

  it('stay the same when rounded again, and 0 is 0', () => {
    for (const value of [0, 0.3, 1, 19.7, 20, 412])
      expect(rateBucketEnd(rateBucketEnd(value))).toBe(rateBucketEnd(value));
    expect([rateBucketEnd(0), backlogBucketEnd(0)]).toEqual([0, 0]);
  });

  it('put dispersions half an octave apart into classes of their own, Poisson into 1', () => {
    const classAt = (dispersionAtSlo: number, dispersionAt10s: number) => {
      const of = burstinessClass({ sloMs: 500, dispersionAtSlo, dispersionAt10s });
      return [of.sloMs, of.dispersionAtSlo, of.dispersionAt10s];
    };
    expect(classAt(1, 1)).toEqual([500, 1, 1]);
    const [, atSlo, at10s] = classAt(1.2, 3.9);
    expect(atSlo).toBeCloseTo(Math.SQRT2, 9);
    expect(at10s).toBeCloseTo(4, 9);
    expect(classAt(1.2, 3.9)).toEqual(classAt(1.4, 3));
  });
});
