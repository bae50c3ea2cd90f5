import { describe, expect, it } from 'vitest';
import { ewma } from './ewma.js';
import { fitted, predictionOf } from './fitted.test-support.js';

describe('ewma', () => {
  it('smooths point and quantile each with its weight', () => {
    const weights = { pointWeight: 0.5, upperWeight: 0.25, upperFactor: 2 };
    // Levels with weight 0.5: 8, 6, 8. With weight 0.25: 8, 7, 7.75.
    expect(predictionOf(ewma, weights, [8, 4, 10])).toEqual({ pointRps: 8, upperRps: 15.5 });
  });

  it('follows at once what only jumps, and slowly what only flickers', () => {
    const jumps = Array.from({ length: 600 }, (_, bin) => 10 + 10 * (Math.floor(bin / 15) % 2));
    const flickers = Array.from({ length: 600 }, (_, bin) => [10, 14, 10, 12, 15][bin % 5] as number);
    expect(fitted(ewma, jumps).pointWeight).toBe(0.9);
    expect(fitted(ewma, flickers).pointWeight).toBeLessThan(0.5);
  });
});
