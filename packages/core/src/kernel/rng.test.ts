import { describe, expect, it } from 'vitest';
import { drawExponential, drawGamma, SeededRng } from './rng.js';

const DRAWS = 50_000;

/** Mean and variance of many draws. */
function momentsOf(draw: () => number): readonly [mean: number, variance: number] {
  const values = Array.from({ length: DRAWS }, draw);
  const mean = values.reduce((a, b) => a + b, 0) / DRAWS;
  return [mean, values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / DRAWS];
}

describe('random draws', () => {
  it('exponential: mean and variance 1, never negative', () => {
    const rng = new SeededRng(1);
    const [mean, variance] = momentsOf(() => drawExponential(rng));
    expect(Math.abs(mean - 1)).toBeLessThan(0.014);
    expect(Math.abs(variance - 1)).toBeLessThan(0.04);
    expect(drawExponential({ next: () => 0, fork: () => rng })).toBeCloseTo(0);
  });

  it.each([0.25, 0.7, 1, 4, 25])('gamma of shape %d: mean 1, variance 1 over the shape', (shape) => {
    const rng = new SeededRng(2);
    const [mean, variance] = momentsOf(() => drawGamma(shape, rng));
    // Three standard errors, of the mean and of the variance; the kurtosis is 3 + 6 ÷ shape.
    expect(Math.abs(mean - 1)).toBeLessThan(3 / Math.sqrt(shape * DRAWS));
    expect(Math.abs(variance * shape - 1)).toBeLessThan(3 * Math.sqrt((2 + 6 / shape) / DRAWS));
  });
});
