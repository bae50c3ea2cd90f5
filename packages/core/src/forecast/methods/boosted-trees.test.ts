import { describe, expect, it } from 'vitest';
import { SeededRng } from '../../kernel/rng.js';
import { pinballLoss } from '../forecast-errors.js';
import type { ForecastMethod } from '../forecast-method.js';
import type { PeakTask } from '../peak-series.js';
import { type BoostedWeights, boostedTrees } from './boosted-trees.js';
import { fitted, predictionOf } from './fitted.test-support.js';
import { quantileRegression } from './quantile-regression.js';

const nextBin: PeakTask = { binS: 10, lags: 3, horizonBins: 1, upperFraction: 0.9 };

/** Each even bin is random, each odd one mirrors it: 40, less twice its distance from 20. */
function mirrored(seed: number, bins: number): number[] {
  const rng = new SeededRng(seed);
  let value = 0;
  return Array.from({ length: bins }, (_, bin) => {
    value = bin % 2 === 0 ? Math.round(10 + 20 * rng.next()) : 40 - 2 * Math.abs(value - 20);
    return value;
  });
}

function lossOf<Weights, Memory>(method: ForecastMethod<Weights, Memory>, train: number[], test: number[]): number {
  const weights = fitted(method, train, nextBin);
  const losses = test
    .slice(nextBin.lags)
    .map((peak, i) =>
      pinballLoss(peak, predictionOf(method, weights, test.slice(i, i + nextBin.lags)).upperRps, nextBin.upperFraction),
    );
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}

describe('boostedTrees', () => {
  it('is what its trees give by hand', () => {
    // The last of two lags, relative to the level: at most 1 goes to leaf 0, else the level decides.
    const trees = [
      {
        splits: [
          [1, 1, -1, 1],
          [2, 16, -2, -3],
        ] as [number, number, number, number][],
        leaves: [-0.1, 0.2, 0.4],
      },
    ];
    const weights: BoostedWeights = {
      lags: 2,
      point: { fraction: 0.5, base: 1, trees },
      upper: { fraction: 0.9, base: 1.1, trees: [] },
    };
    // Level 20 − 4 + 0.5 = 16.5, ratio 10.5 ÷ 16.5: 0.9·16.5 − 0.5, and 1.1·16.5 − 0.5.
    expect(predictionOf(boostedTrees, weights, [20, 10])).toEqual({
      pointRps: expect.closeTo(14.35, 12),
      upperRps: expect.closeTo(17.65, 12),
    });
    // Level 14.5, ratio above 1: 1.2·14.5 − 0.5. The quantile is not below the point.
    expect(predictionOf(boostedTrees, weights, [10, 20])).toEqual({
      pointRps: expect.closeTo(16.9, 12),
      upperRps: expect.closeTo(16.9, 12),
    });
    // Level 20.5, ratio above 1: 1.4·20.5 − 0.5.
    expect(predictionOf(boostedTrees, weights, [16, 26]).pointRps).toBeCloseTo(28.2, 12);
  });

  it('learns a bend that no line has', () => {
    const [train, test] = [mirrored(1, 2500), mirrored(2, 400)];
    expect(lossOf(boostedTrees, train, test)).toBeLessThan(0.65 * lossOf(quantileRegression, train, test));
  });

  it('has 40 trees, none with more than 16 leaves', () => {
    const { trees } = fitted(boostedTrees, mirrored(3, 2000), nextBin).upper;
    const leaves = trees.map((tree) => tree.leaves.length);
    expect(leaves).toHaveLength(40);
    expect(Math.max(...leaves)).toBe(16);
    for (const { splits, leaves: values } of trees) expect(values).toHaveLength(splits.length + 1);
  });

  it('splits nothing where all examples are alike', () => {
    const weights = fitted(boostedTrees, new Array<number>(400).fill(20), nextBin);
    expect(weights.upper.trees.every(({ splits, leaves }) => splits.length === 0 && leaves.length === 1)).toBe(true);
  });
});
