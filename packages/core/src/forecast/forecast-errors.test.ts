import { describe, expect, it } from 'vitest';
import { forecastFigures } from './backtest/forecast-figures.js';
import { pinballLoss, symmetricError } from './forecast-errors.js';

describe('pinballLoss', () => {
  it('charges what lies above by the fraction, what lies below by the rest', () => {
    expect(pinballLoss(12, 10, 0.9)).toBeCloseTo(1.8, 12);
    expect(pinballLoss(8, 10, 0.9)).toBeCloseTo(0.2, 12);
    expect(pinballLoss(10, 10, 0.9)).toBe(0);
  });
});

describe('symmetricError', () => {
  it.each([
    [0, 0, 0],
    [10, 0, 2],
    [0, 3, 2],
    [6, 4, 0.4],
  ])('of %d and %d is %d', (observed, forecast, error) => expect(symmetricError(observed, forecast)).toBe(error));
});

describe('forecastFigures', () => {
  const judged = { targetsRps: [6, 10, 0], pointsRps: [4.4, 9.6, 0.4], uppersRps: [6, 9, 1] };

  it('rounds points but not quantiles, and counts what is reached as covered', () => {
    expect(forecastFigures(judged, 0.9)).toEqual({
      smapeFraction: expect.closeTo(0.4 / 3, 12),
      pinballLoss: expect.closeTo((0 + 0.9 + 0.1) / 3, 12),
      coverageFraction: expect.closeTo(2 / 3, 12),
    });
  });

  it('judges those at given positions', () => {
    expect(forecastFigures(judged, 0.9, [1]).coverageFraction).toBe(0);
    expect(forecastFigures(judged, 0.9, [0, 2]).coverageFraction).toBe(1);
  });
});
