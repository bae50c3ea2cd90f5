import { describe, expect, it } from 'vitest';
import { lawFractions, lawMean, lawQuantile, mixLaws } from './sojourn-law.js';

const exponential = (meanMs: number): Float64Array =>
  Float64Array.from(lawFractions, (fraction) => -meanMs * Math.log1p(-fraction));

describe('SojournLaw', () => {
  it('is exact for an exponential time at every fraction', () => {
    const law = exponential(10);
    for (const fraction of [0.01, 0.5, 0.87, 0.99, 0.9995, 0.999_99])
      expect(lawQuantile(law, fraction)).toBeCloseTo(-10 * Math.log1p(-fraction), 6);
    expect(lawMean(law)).toBeCloseTo(10, 2);
    expect(lawQuantile(law, 1)).toBe(Number.POSITIVE_INFINITY);
  });

  it('mixes two laws by weight', () => {
    const mixed = mixLaws(exponential(10), exponential(100), 0.7);
    for (const fraction of [0.5, 0.95, 0.99]) {
      const ms = lawQuantile(mixed, fraction);
      const above = 0.7 * Math.exp(-ms / 10) + 0.3 * Math.exp(-ms / 100);
      expect((1 - fraction) / above).toBeCloseTo(1, 1);
    }
    expect(lawMean(mixed)).toBeCloseTo(37, -1);
  });

  it('mixes fixed times into steps', () => {
    const fixed = (ms: number): Float64Array => new Float64Array(lawFractions.length).fill(ms);
    const mixed = mixLaws(fixed(5), fixed(50), 0.8);
    expect([0.1, 0.65, 0.9, 0.99].map((fraction) => lawQuantile(mixed, fraction))).toEqual([5, 5, 50, 50]);
  });

  it('is the same mixed with itself', () => {
    const mixed = mixLaws(exponential(3), exponential(3), 0.4);
    lawFractions.forEach((fraction) => {
      expect(lawQuantile(mixed, fraction)).toBeCloseTo(-3 * Math.log1p(-fraction), 9);
    });
  });
});
