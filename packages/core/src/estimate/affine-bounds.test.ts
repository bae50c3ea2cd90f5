import fc from 'fast-check';
import { expect, it } from 'vitest';
import { serviceCurve } from '../profile/service-curves.js';
import { type AffineCurve, affineBounds } from './affine-bounds.js';

const curveOf = (...points: readonly (readonly [number, number])[]) =>
  serviceCurve(
    1,
    1,
    points.map(([batchSize, ms]) => ({ batchSize, law: { kind: 'constant', ms } })),
  );

const at = (affine: AffineCurve, cap: number, size: number): number =>
  affine.oneMs + ((affine.fullMs - affine.oneMs) * (size - 1)) / (cap - 1);

it('leaves an affine curve as it is', () => {
  expect(affineBounds(curveOf([1, 3], [4, 9], [8, 17]), 8)).toEqual({ upper: [{ oneMs: 3, fullMs: 17 }], lower: [] });
  expect(affineBounds(curveOf([1, 3]), 1)).toEqual({ upper: [{ oneMs: 3, fullMs: 3 }], lower: [] });
});

it('takes the edges of the hull', () => {
  const { upper, lower } = affineBounds(curveOf([1, 2], [2, 3.5], [4, 5]), 4);
  expect(upper).toEqual([
    { oneMs: 2, fullMs: 6.5 },
    { oneMs: 2.75, fullMs: 5 },
  ]);
  expect(lower).toEqual([{ oneMs: 2, fullMs: 5 }]);
});

it('encloses the curve at every size (property)', () => {
  const steps = fc.array(fc.double({ min: 0.01, max: 5, noNaN: true }), { minLength: 3, maxLength: 6 });
  fc.assert(
    fc.property(steps, (increments) => {
      let ms = 1;
      const points = increments.map((increment, i) => {
        ms += increment;
        return [2 ** i, ms] as const;
      });
      const cap = points.at(-1)?.[0] ?? 1;
      const curve = curveOf(...points);
      const { upper, lower } = affineBounds(curve, cap);
      for (let k = 1; k <= cap; k++) {
        const tolerance = lower.length === 0 ? 0.006 * curve.meanMs(k) : 1e-9;
        for (const edge of upper) expect(at(edge, cap, k)).toBeGreaterThanOrEqual(curve.meanMs(k) - tolerance);
        for (const edge of lower) expect(at(edge, cap, k)).toBeLessThanOrEqual(curve.meanMs(k) + tolerance);
      }
    }),
    { seed: 4 },
  );
});
