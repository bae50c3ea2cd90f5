import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { capacityRps, serviceCurve } from './service-curves.js';
import { lawMeanMs, lawQuantileMs, type ServiceLaw } from './service-law.js';

const constant = (ms: number): ServiceLaw => ({ kind: 'constant', ms });
const points = [
  { batchSize: 2, law: constant(20) },
  { batchSize: 4, law: constant(30) },
  { batchSize: 8, law: constant(70) },
];

describe('serviceCurve', () => {
  const curve = serviceCurve(0.5, 0.5, points);

  it('interpolates between profiled sizes and takes the smallest below them', () => {
    expect([1, 2, 3, 4, 6, 8].map((k) => curve.meanMs(k))).toEqual([20, 20, 25, 30, 50, 70]);
    expect(curve.law(3)).toEqual(constant(25));
    expect(curve).toMatchObject({
      cpuCores: 0.5,
      threadCores: 1,
      shareFraction: 0.5,
      batchSizes: [2, 4, 8],
      maxBatchSize: 8,
    });
    expect(serviceCurve(4, 1, points).threadCores).toBe(4);
  });

  it('takes as long per item beyond the largest profiled size as there', () => {
    expect([9, 16, 10_000].map((k) => curve.meanMs(k))).toEqual([78.75, 140, 87_500]);
    expect(curve.law(16)).toEqual(constant(140));
  });

  it('interpolates the spread of lognormals and keeps other shapes', () => {
    const lognormal = (sigma: number): ServiceLaw => ({ kind: 'lognormal', mu: Math.log(10) - sigma ** 2 / 2, sigma });
    const mixed = serviceCurve(1, 1, [
      { batchSize: 1, law: constant(10) },
      { batchSize: 3, law: lognormal(0.4) },
    ]);
    expect(mixed.law(2)).toMatchObject({ kind: 'lognormal', sigma: 0.2 });
    expect(lawMeanMs(mixed.law(2))).toBeCloseTo(10, 9);
    const rare = { kind: 'two-point', usualMs: 10, slowMs: 400, slowFraction: 0.0101 } as const;
    const slow = serviceCurve(1, 1, [
      { batchSize: 1, law: constant(5) },
      { batchSize: 5, law: rare },
    ]);
    expect(slow.law(4).kind).toBe('two-point');
    expect(lawMeanMs(slow.law(4))).toBeCloseTo(0.25 * 5 + 0.75 * lawMeanMs(rare), 9);
    expect(lawQuantileMs(slow.law(2), 0.99)).toBeCloseTo(lawMeanMs(slow.law(2)), 9);
  });

  it('counts capacity at the best size up to the cap, times the share', () => {
    expect(capacityRps(curve, 3, 4)).toBeCloseTo(1000 * 3 * 0.5 * (4 / 30), 9);
    expect(capacityRps(curve, 3, 8)).toBeCloseTo(1000 * 3 * 0.5 * (4 / 30), 9);
  });

  it('never loses capacity by one more replica or a higher cap (property)', () => {
    const sizes = fc.record({ replicas: fc.integer({ min: 1, max: 30 }), cap: fc.integer({ min: 1, max: 8 }) });
    fc.assert(
      fc.property(sizes, ({ replicas, cap }) => {
        const capacity = capacityRps(curve, replicas, cap);
        expect(capacityRps(curve, replicas + 1, cap)).toBeGreaterThan(capacity);
        expect(capacityRps(curve, replicas, cap + 1)).toBeGreaterThanOrEqual(capacity);
      }),
      { seed: 2 },
    );
  });
});
