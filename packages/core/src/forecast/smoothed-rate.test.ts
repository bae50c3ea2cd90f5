import { describe, expect, it } from 'vitest';
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

  it('does not run ahead of a fall', () => {
    const forecast = smoothedRate(seconds((second) => 60 - second));
    expect(forecast.meanRps).toBeGreaterThanOrEqual(1);
  });
});
