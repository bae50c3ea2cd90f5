import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { monotoneFit } from './monotone-fit.js';
import { serviceCurve } from './service-curves.js';
import { lawMeanMs, type ServiceLaw } from './service-law.js';

const sizesOf = (...means: readonly number[]) => means.map((meanMs, i) => ({ batchSize: 2 ** i, meanMs }));

const measuredSizes = fc
  .uniqueArray(fc.integer({ min: 1, max: 64 }), { minLength: 1, maxLength: 8 })
  .chain((sizes) =>
    fc.tuple(
      ...sizes
        .sort((a, b) => a - b)
        .map((batchSize) =>
          fc.record({ batchSize: fc.constant(batchSize), meanMs: fc.double({ min: 0.01, max: 1000, noNaN: true }) }),
        ),
    ),
  );

const lawWith = (meanMs: number): ServiceLaw => ({ kind: 'lognormal', mu: Math.log(meanMs) - 0.02, sigma: 0.2 });
const curveThrough = (sizes: readonly { readonly batchSize: number; readonly meanMs: number }[]) =>
  serviceCurve(
    1,
    1,
    sizes.map(({ batchSize, meanMs }) => ({ batchSize, law: lawWith(meanMs) })),
  );

describe('monotoneFit', () => {
  it('is the points where they rise, and lifts what falls to the largest before', () => {
    expect(monotoneFit(sizesOf(3, 4, 6))).toEqual({
      fittedMs: [3, 4, 6],
      raisedFraction: 0,
      leaveOneOutFraction: expect.closeTo(0, 9),
    });
    expect(monotoneFit(sizesOf(3, 5, 4, 8)).fittedMs).toEqual([3, 5, 5, 8]);
    expect(monotoneFit(sizesOf(3, 5, 4, 8)).raisedFraction).toBeCloseTo(0.25, 9);
  });

  it('tells how far it misses an inner point that it was not shown', () => {
    // Size 2 was measured at 5 ms. Between 2 ms (size 1) and 8 ms (size 4), the line gives 4 ms.
    expect(monotoneFit(sizesOf(2, 5, 8)).leaveOneOutFraction).toBeCloseTo(0.2, 9);
    expect(monotoneFit(sizesOf(2, 5)).leaveOneOutFraction).toBeUndefined();
  });

  it('gives curves that never fall, never go negative and never lie below a measured point of the size or a smaller one', () => {
    fc.assert(
      fc.property(measuredSizes, (sizes) => {
        const curve = curveThrough(sizes);
        let before = 0;
        for (let k = 1; k <= curve.maxBatchSize; k++) {
          const meanMs = curve.meanMs(k);
          expect(meanMs).toBeGreaterThan(0);
          expect(meanMs).toBeGreaterThanOrEqual(before * (1 - 1e-12));
          before = meanMs;
        }
        for (const { batchSize, meanMs } of sizes)
          for (let k = batchSize; k <= curve.maxBatchSize; k++)
            expect(curve.meanMs(k)).toBeGreaterThanOrEqual(meanMs * (1 - 1e-12));
      }),
      { numRuns: 100, seed: 11 },
    );
  });

  it('is the nearest such curve: no measured point is lifted above the largest of those up to its size', () => {
    fc.assert(
      fc.property(measuredSizes, (sizes) => {
        const { fittedMs, raisedFraction } = monotoneFit(sizes);
        expect(raisedFraction).toBeGreaterThanOrEqual(0);
        for (const [i, fitted] of fittedMs.entries())
          expect(fitted).toBe(Math.max(...sizes.slice(0, i + 1).map(({ meanMs }) => meanMs)));
      }),
      { numRuns: 100, seed: 12 },
    );
  });

  it('keeps the shape of a law that it lifts', () => {
    const lifted = curveThrough(sizesOf(4, 10, 8)).law(4);
    expect(lifted).toMatchObject({ kind: 'lognormal', sigma: 0.2 });
    expect(lawMeanMs(lifted)).toBeCloseTo(10, 9);
  });
});
