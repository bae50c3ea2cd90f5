import { describe, expect, it } from 'vitest';
import { SeededRng } from '../../kernel/rng.js';
import { drawMs, lawFractionBelow, lawMeanMs, type ServiceLaw } from '../../profile/service-law.js';
import { type CanaryProfile, SlownessTest } from './slowness.js';

const constant: ServiceLaw = { kind: 'constant', ms: 40 };
const spread: ServiceLaw = { kind: 'lognormal', mu: 3.6, sigma: 0.3 };
const heavy: ServiceLaw = { kind: 'lognormal', mu: 3.6, sigma: 0.8 };
const rare: ServiceLaw = { kind: 'two-point', usualMs: 30, slowMs: 600, slowFraction: 0.0101 };
const laws = [constant, spread, heavy, rare];

/**
 * The plan carries 50 items per second while batches take up to `bearable` × the profile. This limit is inversely
 * proportional to the rate.
 */
const profileOf = (law: ServiceLaw, bearable = 1.12): CanaryProfile => ({
  meanMs: () => lawMeanMs(law),
  fractionBelow: (_, ms) => lawFractionBelow(law, ms),
  carries: (slowness, itemsPerSecond) => slowness * itemsPerSecond <= bearable * 50,
});

/** Batches until a roll-back; Infinity if `most` do not suffice. */
function batchesToTell(
  {
    law,
    slowness,
    times = law,
    bearable,
  }: { law: ServiceLaw; slowness: number; times?: ServiceLaw; bearable?: number },
  { seed, most = 300 }: { readonly seed: number; readonly most?: number },
): number {
  const rng = new SeededRng(seed);
  const test = new SlownessTest(profileOf(law, bearable));
  for (let batches = 1; batches <= most; batches++) {
    test.note(1, slowness * drawMs(times, rng));
    const { slower = 0, evidence = 0 } = test.result(50) ?? {};
    if (slower > 500 && evidence > 2) return batches;
  }
  return Number.POSITIVE_INFINITY;
}

const seeds = Array.from({ length: 40 }, (_, seed) => seed);
const told = (tried: Parameters<typeof batchesToTell>[0], most = 300) =>
  seeds.filter((seed) => batchesToTell(tried, { seed, most }) < Number.POSITIVE_INFINITY).length;

describe('SlownessTest', () => {
  it.each(laws)('clears a variant with the profile %j', (law) => {
    expect(told({ law, slowness: 1 })).toBe(0);
  });

  it('clears a variant whose times spread more than profiled', () => {
    const noisy: ServiceLaw = { kind: 'lognormal', mu: Math.log(40) - 0.045, sigma: 0.3 };
    expect(told({ law: constant, times: noisy, slowness: 1 })).toBe(0);
  });

  it('clears a variant that is slower, but carried', () => {
    for (const law of laws) expect(told({ law, slowness: 1.3, bearable: 1.4 })).toBeLessThanOrEqual(1);
  });

  it('takes profiles as right within a tenth', () => {
    expect(told({ law: constant, slowness: 1.09, bearable: 0.9 })).toBe(0);
  });

  it.each([
    [15, constant],
    [20, rare],
    [200, spread],
    [900, heavy],
  ])('tells within %i batches that a variant with the profile %j takes 1.3 times as long', (most, law) => {
    expect(told({ law, slowness: 1.3 }, most)).toBeGreaterThanOrEqual(38);
  });

  it('tells within 200 batches that a variant slower than profiled is near, but beyond what its plan carries', () => {
    expect(told({ law: spread, slowness: 1.3, bearable: 1.2 }, 200)).toBeGreaterThanOrEqual(36);
  });

  it('finds a variant that becomes slow late', () => {
    const test = new SlownessTest(profileOf(constant));
    for (let i = 0; i < 10_000; i++) test.note(1, 40);
    expect(test.result(50)).toBeUndefined();
    for (let i = 0; i < 60; i++) test.note(1, 52);
    expect(test.result(50)?.evidence).toBeGreaterThan(500);
  });

  it('names the measured ratio, and the least one that the plan does not carry at that load', () => {
    const test = new SlownessTest(profileOf(constant, 1.15));
    for (let i = 0; i < 20; i++) test.note(1, 56);
    const { measured, tooSlow, itemsPerSecond, evidence } = test.result(50) ?? {};
    expect([measured, tooSlow, itemsPerSecond]).toEqual([expect.closeTo(1.4), expect.closeTo(1.1 * 1.025 ** 2), 50]);
    expect(evidence).toBeGreaterThan(500);
    expect(test.result(40)?.tooSlow).toBeCloseTo(1.1 * 1.025 ** 11);
    expect(test.result(2)).toBeUndefined();
  });
});
