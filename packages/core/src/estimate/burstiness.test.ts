import { describe, expect, it } from 'vitest';
import { poissonBurstiness } from '../model/expected-load.js';
import { effectiveBurstiness } from './burstiness.js';

/** Dispersion of a rate that switches between 0.5 and 1.5 times `perMs`, after one second on average. */
function switchingDispersion(perMs: number, windowMs: number): number {
  const x = windowMs * (2 / 1000);
  return 1 + ((2 * 0.25 * perMs) / (2 / 1000)) * (1 + Math.expm1(-x) / x);
}

describe('effectiveBurstiness', () => {
  it('feels nothing of Poisson arrivals', () => {
    expect(effectiveBurstiness(poissonBurstiness, 1, 100)).toEqual({ dispersion: 1 });
  });

  it('finds the switching back from two dispersions', () => {
    const [dispersionAtSlo, dispersionAt10s] = [
      switchingDispersion(0.2, 400),
      switchingDispersion(0.2, 10_000),
    ] as const;
    const felt = effectiveBurstiness({ sloMs: 400, dispersionAtSlo, dispersionAt10s }, 0.2, 20);
    expect(felt.dispersion).toBeCloseTo(1, 6);
    expect(felt.switching?.highFactor).toBeCloseTo(1.5, 3);
    expect(felt.switching?.lowFactor).toBeCloseTo(0.5, 3);
    expect(felt.switching?.meanHighMs).toBeCloseTo(1000, 0);
  });

  it('gives short high phases to a lopsided rate, with the same mean', () => {
    const burstiness = { sloMs: 400, dispersionAtSlo: 10, dispersionAt10s: 40, rateSkewness: 1.5 };
    const { switching } = effectiveBurstiness(burstiness, 0.2, 20);
    if (switching === undefined) throw new Error('no switching');
    const { highFactor, lowFactor, meanHighMs, meanLowMs } = switching;
    expect(meanHighMs / (meanHighMs + meanLowMs)).toBeCloseTo(0.2, 6);
    expect((highFactor * meanHighMs + lowFactor * meanLowMs) / (meanHighMs + meanLowMs)).toBeCloseTo(1, 9);
  });

  it('feels bursts that two windows cannot tell apart as company', () => {
    const felt = effectiveBurstiness({ sloMs: 400, dispersionAtSlo: 4, dispersionAt10s: 4 }, 0.2, 20);
    expect(felt.switching).toBeUndefined();
    expect(felt.dispersion).toBeCloseTo(4, 2);
  });

  it('never has a negative rate', () => {
    const { switching } = effectiveBurstiness({ sloMs: 400, dispersionAtSlo: 100, dispersionAt10s: 900 }, 0.02, 20);
    expect(switching?.lowFactor).toBe(0);
    expect(switching?.highFactor).toBeCloseTo(2, 6);
  });
});
