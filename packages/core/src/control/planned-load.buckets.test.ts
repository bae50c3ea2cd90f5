import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  backlogBucketEnd,
  burstinessClass,
  envelopeBucketEnd,
  envelopeSteps,
  rateBucketEnd,
  rateSteps,
} from './planned-load.js';

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

  it('go in equal steps from the end of the bucket below to their own', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-3, max: 1e5, noNaN: true }), (rate) => {
        const steps = rateSteps(rate);
        expect(steps.at(-1)).toBe(rateBucketEnd(rate));
        expect(steps[0]).toBe(rateBucketEnd((steps[0] ?? 0) * (1 - 1e-6)));
        expect(steps[0]).toBeLessThan(rate);
        for (const [i, step] of steps.slice(1).entries()) expect(step / (steps[i] ?? 0)).toBeCloseTo(1.05 ** 0.25, 9);
      }),
      { seed: 1 },
    );
    expect(rateSteps(0)).toEqual([0, 0, 0, 0, 0]);
  });

  it('have the same steps where they are wide, four times as many', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-3, max: 1e5, noNaN: true }), (rate) => {
        const steps = rateSteps(rate, true);
        expect(steps).toHaveLength(17);
        expect(steps[0]).toBeLessThan(rate);
        expect(steps.at(-1)).toBeGreaterThanOrEqual(rate * (1 - 1e-8));
        expect(steps.at(-1)).toBeLessThanOrEqual(rate * 1.05 ** 4 * (1 + 1e-8));
        for (const step of rateSteps(rate)) expect(steps).toContain(step);
      }),
      { seed: 1 },
    );
    expect(envelopeSteps([{ windowS: 20, arrivals: 400 }], true)).toHaveLength(17);
  });

  it('divide of an envelope the rate and not the bursts', () => {
    const envelope = [
      { windowS: 1, arrivals: 30 },
      { windowS: 20, arrivals: 400 },
    ];
    const [burst] = envelopeBucketEnd(envelope);
    const steps = envelopeSteps(envelope);
    expect(steps.at(-1)).toEqual(envelopeBucketEnd(envelope));
    expect(steps.map(([first]) => first)).toEqual(steps.map(() => burst));
    expect(steps.map(([, longest]) => longest?.arrivals)).toEqual([385, 390, 395, 400, 404]);
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
