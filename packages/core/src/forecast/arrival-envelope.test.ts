import { describe, expect, it } from 'vitest';
import { arrivalEnvelope } from './arrival-envelope.js';

const forecastOf = (upperRps: number) => ({ method: 'given', meanRps: upperRps, upperRps });
const arrivalsOf = (arrivalsPerSecond: readonly number[], upperRps: number, aheadMs = 12_000) =>
  arrivalEnvelope({ arrivalsPerSecond }, forecastOf(upperRps), aheadMs).map(({ arrivals }) => arrivals);

describe('arrivalEnvelope', () => {
  it('has the most arrivals of any window of 1, 2, 5, 10 and 20 s', () => {
    expect(arrivalsOf([1, 9, 0, 7, 1, 1], 0)).toEqual([9, 10, 18, 19, 19]);
  });

  it('is no lower than the upper rate', () => {
    expect(arrivalsOf([1, 9, 0, 7, 1, 1], 2.1)).toEqual([9, 10, 18, 21, 42]);
    expect(arrivalsOf([], 2.1)).toEqual([3, 5, 11, 21, 42]);
  });

  it('forgets a burst after a minute', () => {
    const burst = [50, ...new Array<number>(59).fill(1)];
    expect(arrivalsOf(burst, 0)[0]).toBe(50);
    expect(arrivalsOf([...burst, 1], 0)[0]).toBe(1);
  });

  it('remembers a burst for twice the time that plans look ahead', () => {
    const burst = (calmS: number) => [50, ...new Array<number>(calmS).fill(1)];
    expect(arrivalsOf(burst(79), 0, 40_000)[0]).toBe(50);
    expect(arrivalsOf(burst(80), 0, 40_000)[0]).toBe(1);
  });
});
