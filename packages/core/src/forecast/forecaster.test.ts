import { describe, expect, it } from 'vitest';
import { windowMaxima } from './forecaster.js';

describe('windowMaxima', () => {
  it('takes the larger of the last two 10-s maxima with its margin, and nothing older', () => {
    const arrivalsPerSecond = [90, ...new Array<number>(10).fill(4), 7, ...new Array<number>(9).fill(5)];
    expect(windowMaxima({ arrivalsPerSecond }).upperRps).toBeCloseTo(1.19 * 7);
    expect(windowMaxima({ arrivalsPerSecond }).meanRps).toBeCloseTo((40 + 7 + 45) / 20);
  });

  it('expects nothing without a history', () => {
    expect(windowMaxima({ arrivalsPerSecond: [] })).toMatchObject({ meanRps: 0, upperRps: 0 });
  });
});
