import { describe, expect, it } from 'vitest';
import { SeededRng } from '../../kernel/rng.js';
import { pinballLoss } from '../forecast-errors.js';
import { trainingPeaks } from '../peak-series.js';
import { fitted, predictionOf } from './fitted.test-support.js';
import { quantileRegression } from './quantile-regression.js';

const oneLag = { binS: 10, lags: 1, horizonBins: 1, upperFraction: 0.8 };

/** Minimum total loss of any line. An optimum of the linear program passes through two of the points. */
function leastLoss(series: readonly number[], fraction: number): number {
  const points = series.slice(1).map((target, i) => [series[i] as number, target] as const);
  let least = Number.POSITIVE_INFINITY;
  for (const [x1, y1] of points) {
    for (const [x2, y2] of points) {
      const slope = x1 === x2 ? 0 : (y2 - y1) / (x2 - x1);
      least = Math.min(least, totalLoss(series, [slope, y1 - slope * x1], fraction));
    }
  }
  return least;
}

function totalLoss(series: readonly number[], line: readonly number[], fraction: number): number {
  const [slope = 0, intercept = 0] = line;
  return series
    .slice(1)
    .reduce((sum, target, i) => sum + pinballLoss(target, intercept + slope * (series[i] as number), fraction), 0);
}

function afterSteps(series: readonly number[], steps: number) {
  const training = trainingPeaks(Float64Array.from(series), oneLag);
  let fit = quantileRegression.beginFit(training, 1);
  for (let step = 0; step < steps; step++) fit = quantileRegression.fitStep(fit, training);
  return fit;
}

describe('quantileRegression', () => {
  it('comes as close as its smoothing allows to the optimum over all lines', () => {
    const rng = new SeededRng(3);
    for (let problem = 0; problem < 20; problem++) {
      const series = Array.from({ length: 14 }, () => 5 + 10 * rng.next());
      const { point, upper } = afterSteps(series, 400).weights;
      expect(totalLoss(series, point, 0.5) / leastLoss(series, 0.5)).toBeLessThan(1.001);
      expect(totalLoss(series, upper, 0.8) / leastLoss(series, 0.8)).toBeLessThan(1.001);
    }
  });

  it('never raises the loss from step to step', () => {
    const rng = new SeededRng(5);
    const series = Array.from({ length: 60 }, () => Math.floor(5 + 10 * rng.next()));
    let before = Number.POSITIVE_INFINITY;
    for (let steps = 1; steps < 20; steps++) {
      const loss = totalLoss(series, afterSteps(series, steps).weights.upper, 0.8);
      expect(loss).toBeLessThan(before * (1 + 1e-4));
      before = loss;
    }
  });

  it('finds an exact relation', () => {
    const halving = [64, 34, 19, 11.5, 7.75, 5.875, 4.9375];
    const { point } = fitted(quantileRegression, halving, oneLag);
    expect(point).toEqual([expect.closeTo(0.5, 3), expect.closeTo(2, 2)]);
    expect(predictionOf(quantileRegression, { point, upper: point }, [10]).pointRps).toBeCloseTo(7, 2);
  });

  it('foretells no negative load and no quantile below the point', () => {
    const weights = { point: [1, -5], upper: [0, 1] };
    expect(predictionOf(quantileRegression, weights, [3])).toEqual({ pointRps: 0, upperRps: 1 });
    expect(predictionOf(quantileRegression, weights, [9])).toEqual({ pointRps: 4, upperRps: 4 });
  });
});
