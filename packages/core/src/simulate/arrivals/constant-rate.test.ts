import { describe, expect, it } from 'vitest';
import { centralMoment, countsInWindows, dispersionOf, meanOf } from '../../kernel/count-statistics.js';
import { SeededRng } from '../../kernel/rng.js';
import { gapsOf, instantsOf } from './arrivals.test-support.js';
import { deterministicArrivals, gammaArrivals, mmppArrivals, poissonArrivals } from './constant-rate.js';

/**
 * Bands extend four standard errors to each side. A correct generator stays inside; one that is wrong by a few percent
 * does not.
 */
const ERRORS = 4;

const countsOf = (instants: readonly number[], durationS: number, windowMs: number) =>
  countsInWindows(instants, { fromMs: 0, toMs: durationS * 1000, windowMs });

describe('deterministic arrivals', () => {
  it('come at equal distances from 0', () => {
    expect(instantsOf(deterministicArrivals(4, 1000))).toEqual([0, 250, 500, 750]);
    expect(instantsOf(deterministicArrivals(0, 1000))).toEqual([]);
  });

  it('do not drift over a day', () => {
    const instants = instantsOf(deterministicArrivals(3, 86_400_000));
    expect(instants.length).toBe(3 * 86_400);
    expect(instants.at(-1)).toBeCloseTo(86_400_000 - 1000 / 3, 6);
  });
});

describe('poisson arrivals', () => {
  it.each([1, 2, 3])('have the rate, exponential gaps and dispersion 1 in every window (seed %d)', (seed) => {
    const [rps, durationS] = [100, 1000];
    const instants = instantsOf(poissonArrivals(rps, durationS * 1000, new SeededRng(seed)));
    const expected = rps * durationS;
    expect(Math.abs(instants.length - expected)).toBeLessThan(ERRORS * Math.sqrt(expected));
    const longGaps = gapsOf(instants).filter((gap) => gap > 10).length / instants.length;
    expect(Math.abs(longGaps - Math.exp(-1))).toBeLessThan(ERRORS * Math.sqrt(0.2325 / expected));
    for (const windowMs of [50, 1000, 10_000]) {
      const counts = countsOf(instants, durationS, windowMs);
      const error = Math.sqrt((2 + 1000 / (rps * windowMs)) / counts.length);
      expect(Math.abs(dispersionOf(counts) - 1)).toBeLessThan(ERRORS * error);
    }
  });

  it('are none at a rate of 0', () => {
    expect(instantsOf(poissonArrivals(0, 1000, new SeededRng(3)))).toEqual([]);
  });
});

describe('gamma arrivals', () => {
  it.each([0.25, 0.7, 1, 2, 4])('have the rate and a coefficient of variation of %d', (cv) => {
    const [arrivalRps, durationS] = [200, 400];
    const gaps = gapsOf(instantsOf(gammaArrivals({ arrivalRps, durationS, cv }, new SeededRng(4))));
    const meanMs = meanOf(gaps);
    expect(Math.abs(meanMs / 5 - 1)).toBeLessThan((ERRORS * cv) / Math.sqrt(gaps.length));
    // The kurtosis of a gamma law is 3 + 6·cv².
    const error = Math.sqrt((2 + 6 * cv * cv) / gaps.length);
    expect(Math.abs(centralMoment(gaps, 2) / (cv * meanMs) ** 2 - 1)).toBeLessThan(ERRORS * error);
  });

  it('tend to a dispersion of cv² in windows of many requests', () => {
    const load = { arrivalRps: 100, durationS: 3000, cv: 2 };
    const counts = countsOf(instantsOf(gammaArrivals(load, new SeededRng(5))), load.durationS, 2000);
    expect(Math.abs(dispersionOf(counts) / 4 - 1)).toBeLessThan(ERRORS * Math.sqrt(2 / counts.length));
  });

  it('are none at a rate of 0', () => {
    expect(instantsOf(gammaArrivals({ arrivalRps: 0, durationS: 1, cv: 2 }, new SeededRng(1)))).toEqual([]);
  });
});

describe('mmpp arrivals', () => {
  const [high, low] = [
    { arrivalRps: 90, meanHoldS: 1 },
    { arrivalRps: 10, meanHoldS: 3 },
  ];

  it('have the mean rate and the dispersion of the closed form at two windows', () => {
    const durationS = 10_000;
    const instants = instantsOf(mmppArrivals({ states: [high, low], durationS }, new SeededRng(6)));
    // Mean 30. The rate has variance 1200 and is forgotten at 1 + 1/3 per second.
    const [meanRps, forgetting] = [30, 4 / 3];
    const excess = (2 * 1200) / (meanRps * forgetting);
    const rateError = Math.sqrt((1 + excess) / (meanRps * durationS));
    expect(Math.abs(instants.length / (meanRps * durationS) - 1)).toBeLessThan(ERRORS * rateError);
    for (const windowS of [0.4, 10]) {
      const x = forgetting * windowS;
      const expected = 1 + excess * (1 + Math.expm1(-x) / x);
      const counts = countsOf(instants, durationS, windowS * 1000);
      // Windows within one memory of the rate are not independent.
      const independent = Math.min(counts.length, (durationS * forgetting) / 2);
      expect(Math.abs(dispersionOf(counts) / expected - 1)).toBeLessThan(ERRORS * Math.sqrt(2 / independent));
    }
  });

  it('start in a state by its share of the time, so the mean holds from the first second on', () => {
    const firsts = Array.from({ length: 4000 }, (_, seed) => {
      return instantsOf(mmppArrivals({ states: [high, low], durationS: 0.2 }, new SeededRng(seed))).length;
    });
    expect(Math.abs(meanOf(firsts) - 6)).toBeLessThan((ERRORS * Math.sqrt(centralMoment(firsts, 2))) / Math.sqrt(4000));
  });

  it('visit three states in turn, one of them silent', () => {
    const states = [{ arrivalRps: 100, meanHoldS: 5 }, { arrivalRps: 0, meanHoldS: 5 }, low];
    const counts = countsOf(instantsOf(mmppArrivals({ states, durationS: 5000 }, new SeededRng(7))), 5000, 1000);
    expect(meanOf(counts)).toBeGreaterThan(0.9 * (530 / 13));
    expect(meanOf(counts)).toBeLessThan(1.1 * (530 / 13));
    expect(counts.filter((count) => count === 0).length / counts.length).toBeGreaterThan(0.25);
  });

  it('are none when no state has a rate', () => {
    expect(
      instantsOf(mmppArrivals({ states: [{ arrivalRps: 0, meanHoldS: 1 }], durationS: 9 }, new SeededRng(1))),
    ).toEqual([]);
    expect(instantsOf(mmppArrivals({ states: [], durationS: 9 }, new SeededRng(1)))).toEqual([]);
  });
});
