import { describe, expect, it } from 'vitest';
import { fitted, predictionOf, smallTask } from './fitted.test-support.js';
import { lastTwoMax, lastValue, windowMax, windowMean } from './window-methods.js';

describe('methods of a window', () => {
  it.each([
    [lastValue, 4],
    [lastTwoMax, 6],
    [windowMax, 8],
    [windowMean, 6],
  ])('%o has its point', (method, pointRps) => {
    const weights = { ...fitted(method, []), upperFactor: 1.5 };
    expect(predictionOf(method, weights, [99, 8, 6, 4])).toEqual({ pointRps, upperRps: 1.5 * pointRps });
  });

  it('puts the quantile where it covers its share of the peaks that followed', () => {
    const series = Array.from({ length: 400 }, (_, bin) => (bin % 20 === 0 ? 20 : 10));
    // Of 20 bins, two 10s precede a 20. Each bin weighs its value, so they weigh 20 of 210.
    expect(fitted(lastValue, series, { ...smallTask, upperFraction: 0.92 }).upperFactor).toBeCloseTo(2, 6);
    expect(fitted(lastValue, series, { ...smallTask, upperFraction: 0.88 }).upperFactor).toBeCloseTo(1, 6);
  });

  it('looks no further back than its window', () => {
    const weights = fitted(lastTwoMax, []);
    expect(predictionOf(lastTwoMax, weights, [99, 1, 2])).toEqual(predictionOf(lastTwoMax, weights, [1, 2]));
  });
});
