import { describe, expect, it } from 'vitest';
import { SeededRng } from '../kernel/rng.js';
import { poissonCount } from './learning/poisson-counts.test-support.js';
import { smoothedRate } from './smoothed-rate.js';

const seconds = (rateAt: (second: number) => number, count = 60) => ({
  arrivalsPerSecond: Array.from({ length: count }, (_, second) => rateAt(second)),
});

describe('smoothedRate', () => {
  it('expects nothing without history', () => {
    expect(smoothedRate({ arrivalsPerSecond: [] })).toMatchObject({ meanRps: 0, upperRps: 0 });
  });

  it('finds a steady rate and puts the upper rate above it', () => {
    const forecast = smoothedRate(seconds(() => 20));
    expect(forecast.meanRps).toBeCloseTo(20, 6);
    expect(forecast.upperRps).toBeGreaterThan(21);
    expect(forecast.upperRps).toBeLessThan(25);
  });

  it('follows a rise ahead to the end of its horizon', () => {
    const forecast = smoothedRate(
      seconds((second) => second),
      10_000,
    );
    expect(forecast.meanRps).toBeGreaterThan(66);
    expect(forecast.meanRps).toBeLessThan(70);
  });

  it('keeps its upper rate through a quiet moment, and lets it fall when the load stays low', () => {
    const quietFrom = (second: number) => smoothedRate(seconds((at) => (at < second ? 30 : 5)));
    const steady = smoothedRate(seconds(() => 30)).upperRps;
    expect(quietFrom(55).upperRps).toBeCloseTo(steady, 6);
    expect(quietFrom(55).meanRps).toBeLessThan(15);
    expect(quietFrom(30).upperRps).toBeLessThan(10);
  });

  it('averages chance out while the load is calm, and while it moves on a line', () => {
    const excesses = (rateAt: (second: number) => number, aheadS: number) =>
      Array.from({ length: 40 }, (_, seed) => {
        const rng = new SeededRng(seed);
        const seen = seconds((second) => poissonCount(rng, rateAt(second)), 120);
        return smoothedRate(seen, 1000 * aheadS).upperRps / rateAt(120 + aheadS);
      });
    for (const rateAt of [() => 20, (second: number) => 8 + second / 10]) {
      const ratios = excesses(rateAt, 12);
      expect(ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length).toBeLessThan(1.25);
      expect(ratios.filter((ratio) => ratio < 1).length).toBeLessThanOrEqual(4);
    }
  });

  it('believes a jump within seconds, and does not run away from it', () => {
    for (let seed = 0; seed < 40; seed++) {
      const rng = new SeededRng(seed);
      const jumped = seconds((second) => poissonCount(rng, second < 115 ? 4 : 40), 120);
      const { meanRps, upperRps } = smoothedRate(jumped, 12_000);
      expect(meanRps).toBeGreaterThan(25);
      expect(upperRps).toBeGreaterThan(36);
      expect(upperRps).toBeLessThan(70);
    }
  });

  it.each([
    [5, 7],
    [10, 7],
    [15, 5],
    [19, 5],
  ])('takes the first %i seconds with requests for no rise', (sinceS, mostRps) => {
    for (const silentS of [0, 45]) {
      const { meanRps, upperRps } = smoothedRate(
        seconds((second) => (second < silentS ? 0 : 3), silentS + sinceS),
        45_000,
      );
      expect(meanRps).toBeLessThanOrEqual(3);
      expect(upperRps).toBeLessThan(mostRps);
    }
  });

  it('does not run ahead of a fall', () => {
    const forecast = smoothedRate(seconds((second) => 60 - second));
    expect(forecast.meanRps).toBeGreaterThanOrEqual(1);
  });
});
