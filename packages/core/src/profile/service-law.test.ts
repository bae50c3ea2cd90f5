import { describe, expect, it } from 'vitest';
import { SeededRng } from '../kernel/rng.js';
import type { ProfilePoint } from '../model/profile-point.js';
import {
  drawMs,
  lawFractionBelow,
  lawMeanMs,
  lawOfPoint,
  lawQuantileMs,
  lawVariationSquared,
  type ServiceLaw,
} from './service-law.js';

const point = (fields: Partial<ProfilePoint>): ProfilePoint => ({ cpuCores: 1, batchSize: 4, ...fields });

function lawFrom(fields: Partial<ProfilePoint>): ServiceLaw {
  const read = lawOfPoint(point(fields));
  if (read.kind === 'invalid') throw new Error(read.reason);
  return read.law;
}

describe('lawOfPoint', () => {
  it('takes the mean from meanMs, then throughput, then p50', () => {
    expect(lawMeanMs(lawFrom({ meanMs: 20, throughputRps: 100, p50Ms: 7, p99Ms: 60 }))).toBeCloseTo(20, 9);
    expect(lawMeanMs(lawFrom({ throughputRps: 100, p50Ms: 7, p99Ms: 60 }))).toBeCloseTo(40, 9);
    expect(lawMeanMs(lawFrom({ p50Ms: 7, p99Ms: 60 }))).toBeCloseTo(7, 9);
  });

  it('goes through mean and p99 as a lognormal', () => {
    const law = lawFrom({ meanMs: 20, p99Ms: 60 });
    expect(law.kind).toBe('lognormal');
    expect(lawQuantileMs(law, 0.99)).toBeCloseTo(60, 6);
  });

  it('is constant for one number or p99 = mean', () => {
    expect(lawFrom({ p99Ms: 12 })).toEqual({ kind: 'constant', ms: 12 });
    expect(lawFrom({ meanMs: 12, p99Ms: 12 })).toEqual({ kind: 'constant', ms: 12 });
  });

  it('keeps mean and p99 by two points, with a warning, beyond the reach of a lognormal', () => {
    const read = lawOfPoint(point({ meanMs: 10, p99Ms: 200 }));
    expect(read).toMatchObject({ kind: 'law', warning: expect.stringContaining('20.0 times') });
    if (read.kind !== 'law') return;
    expect(lawMeanMs(read.law)).toBeCloseTo(10, 9);
    expect(lawQuantileMs(read.law, 0.99)).toBe(200);
    expect(lawQuantileMs(read.law, 0.98)).toBeLessThan(10);
  });

  it.each([
    [{ meanMs: 10, p99Ms: 9 }, 'below the mean'],
    [{ meanMs: 10, p99Ms: 1000 }, 'no service time can have'],
    [{ meanMs: Number.NaN }, 'meanMs must be positive, found NaN'],
    [{ meanMs: -1 }, 'meanMs must be positive, found -1'],
    [{ throughputRps: 0 }, 'throughputRps must be positive'],
    [{ p99Ms: Number.POSITIVE_INFINITY }, 'p99Ms must be positive'],
    [{ meanMs: 1, batchSize: 1.5 }, 'whole number'],
    [{ meanMs: 1, batchSize: 1e9 }, 'from 1 to 4096'],
    [{ meanMs: 1, cpuCores: 0 }, 'cpuCores must be positive'],
    [{}, 'give one of'],
  ] satisfies [Partial<ProfilePoint>, string][])('refuses %j', (fields, reason) => {
    expect(lawOfPoint(point(fields))).toMatchObject({ kind: 'invalid', reason: expect.stringContaining(reason) });
  });
});

describe('drawMs', () => {
  it.each<ServiceLaw>([
    { kind: 'exponential', meanMs: 7 },
    { kind: 'lognormal', mu: 1, sigma: 0.5 },
    { kind: 'two-point', usualMs: 5, slowMs: 500, slowFraction: 0.0101 },
    { kind: 'empirical', sortedMs: [1, 2, 4, 8] },
  ])('has the mean and the variation of its law: $kind', (law) => {
    const rng = new SeededRng(3);
    let [sum, squares] = [0, 0];
    for (let i = 0; i < 200_000; i++) {
      const ms = drawMs(law, rng);
      sum += ms;
      squares += ms * ms;
    }
    const mean = sum / 200_000;
    expect(mean / lawMeanMs(law)).toBeCloseTo(1, 1);
    expect((squares / 200_000 / mean ** 2 - 1) / lawVariationSquared(law)).toBeCloseTo(1, 1);
  });
});

describe('lawFractionBelow', () => {
  it.each<ServiceLaw>([
    { kind: 'exponential', meanMs: 7 },
    { kind: 'lognormal', mu: 1, sigma: 0.5 },
  ])('is the inverse of the quantiles of %j', (law) => {
    for (const fraction of [0.01, 0.3, 0.5, 0.95])
      expect(lawFractionBelow(law, lawQuantileMs(law, fraction))).toBeCloseTo(fraction, 6);
  });

  it('counts half of the times that are equal', () => {
    const two: ServiceLaw = { kind: 'two-point', usualMs: 5, slowMs: 50, slowFraction: 0.2 };
    expect([4, 5, 6, 50, 51].map((ms) => lawFractionBelow(two, ms))).toEqual([0, 0.4, 0.8, 0.9, 1]);
    expect([6, 7, 8].map((ms) => lawFractionBelow({ kind: 'constant', ms: 7 }, ms))).toEqual([0, 0.5, 1]);
    expect([1, 3, 9].map((ms) => lawFractionBelow({ kind: 'empirical', sortedMs: [1, 2, 4, 8] }, ms))).toEqual([
      0.125, 0.5, 1,
    ]);
  });
});
