import { describe, expect, it } from 'vitest';
import { meanInterval95, rangedMeanInterval95 } from './mean-interval.js';
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

describe('rangedMeanInterval95', () => {
  const fraction = { low: 0, high: 1 };
  const positive = { low: 0, high: Number.POSITIVE_INFINITY };

  it('stays inside the range where that of Student leaves it', () => {
    const attained = [1, 1, 0.94];
    expect(meanInterval95(attained).high).toBeGreaterThan(1);
    const { mean, low, high } = rangedMeanInterval95(attained, fraction);
    expect(mean).toBeCloseTo(0.98);
    // logit 0.98 = 3.892; half width 4.303 · 0.02 ÷ (0.98 · 0.02) = 4.391.
    expect([low, high]).toEqual([expect.closeTo(0.378, 3), expect.closeTo(0.99975, 5)]);

    const latencies = [10, 10, 300];
    expect(meanInterval95(latencies).low).toBeLessThan(0);
    // ln 106.67 ± 4.303 · 96.67 ÷ 106.67.
    const far = rangedMeanInterval95(latencies, positive);
    expect([far.low, far.high]).toEqual([expect.closeTo(2.162, 2), expect.closeTo(5263, -1)]);
  });

  it('is nearly that of Student far from the bounds', () => {
    const values = [0.5, 0.502, 0.498, 0.501];
    const [plain, ranged] = [meanInterval95(values), rangedMeanInterval95(values, fraction)];
    expect(ranged.low).toBeCloseTo(plain.low, 4);
    expect(ranged.high).toBeCloseTo(plain.high, 4);
  });

  it('holds the mean of skewed fractions in at least as many samples as that of Student', () => {
    const rng = new SeededRng(1);
    const sample = () => Array.from({ length: 5 }, () => 1 - 0.2 * rng.next() ** 4);
    const samples = Array.from({ length: 4000 }, sample);
    const covering = (interval: typeof meanInterval95) =>
      samples.map(interval).filter(({ low, high }) => low <= 0.96 && high >= 0.96).length;
    const ranged = covering((values) => rangedMeanInterval95(values, fraction));
    expect(ranged).toBeGreaterThanOrEqual(covering(meanInterval95));
  });

  it('is the mean alone where all values are the same, and without bounds for one value', () => {
    expect(rangedMeanInterval95([1, 1, 1], fraction)).toEqual({ mean: 1, low: 1, high: 1 });
    expect(rangedMeanInterval95([0, 0], positive)).toEqual({ mean: 0, low: 0, high: 0 });
    expect(rangedMeanInterval95([0.3], fraction)).toEqual(meanInterval95([0.3]));
  });
});
