import { describe, expect, it } from 'vitest';
import { meanInterval95 } from './mean-interval.js';
import { SeededRng } from './rng.js';

describe('meanInterval95', () => {
  it.each([
    [2, 12.706],
    [3, 4.3027],
    [6, 2.5706],
    [10, 2.2622],
    [31, 2.0423],
  ])('takes the quantile of Student for %d values', (n, quantile) => {
    const values = Array.from({ length: n }, (_, i) => i);
    const deviation = Math.sqrt((n * (n + 1)) / 12);
    const { mean, low, high } = meanInterval95(values);
    expect(mean).toBeCloseTo((n - 1) / 2);
    expect((high - low) / 2 / (deviation / Math.sqrt(n))).toBeCloseTo(quantile, 2);
  });

  it('holds the mean in 95 of 100 samples', () => {
    const rng = new SeededRng(1);
    const sample = () => Array.from({ length: 8 }, () => rng.next() + rng.next() + rng.next());
    const covered = Array.from({ length: 4000 }, () => meanInterval95(sample())).filter(
      ({ low, high }) => low <= 1.5 && high >= 1.5,
    );
    expect(covered.length / 4000).toBeGreaterThan(0.94);
    expect(covered.length / 4000).toBeLessThan(0.96);
  });

  it('knows nothing from one value', () => {
    expect(meanInterval95([3])).toEqual({ mean: 3, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY });
  });
});
