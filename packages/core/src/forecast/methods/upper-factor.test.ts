import { describe, expect, it } from 'vitest';
import { quantileFactor } from './upper-factor.js';

describe('quantileFactor', () => {
  it('is the quantile of the ratios, each weighted by its point', () => {
    const examples = { pointsRps: [1, 1, 2, 4], targetsRps: [3, 2, 2, 2] };
    // Ratios 3, 2, 1, 0.5 have weights 1, 1, 2, 4: half of the weight is at 0.5, six eighths are up to 1.
    expect(quantileFactor(examples, 0.4)).toBeCloseTo(0.5, 9);
    expect(quantileFactor(examples, 0.7)).toBeCloseTo(1, 9);
    expect(quantileFactor(examples, 0.8)).toBeCloseTo(2, 9);
    expect(quantileFactor(examples, 0.99)).toBeCloseTo(3, 9);
  });

  it('is as exact where a point is next to nothing', () => {
    expect(quantileFactor({ pointsRps: [1e-200, 4, 4], targetsRps: [9, 5, 6] }, 0.9)).toBeCloseTo(1.5, 9);
  });

  it('is 1 where no point is above 0', () => {
    expect(quantileFactor({ pointsRps: [0, 0], targetsRps: [1, 2] }, 0.95)).toBe(1);
    expect(quantileFactor({ pointsRps: [], targetsRps: [] }, 0.95)).toBe(1);
  });
});
