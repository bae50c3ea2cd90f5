import { symmetricSolver } from '../../kernel/symmetric-solver.js';
import type { Fitting, ForecastMethod } from '../forecast-method.js';
import { fullWindow, remember, type TrainingPeaks } from '../peak-series.js';

/**
 * Linear quantile regression on the lags (Koenker and Bassett 1978): intercept + Σ coefficient·lag. Fitted by
 * majorization (Hunter and Lange 2000): with residuals r, solve Xᵀ·W·X·β = Xᵀ·W·y + (2·fraction − 1)·Xᵀ·1, where W = 1
 * ÷ (ε + |r|). No step raises the (smoothed) pinball loss.
 */

/** Coefficients of the lags, oldest first, then the intercept. */
export interface RegressionWeights {
  readonly point: readonly number[];
  readonly upper: readonly number[];
}

/** Enough for errors far below one request. */
const STEPS = 50;
/** ε as a fraction of the mean target. */
const SMOOTHING = 1e-4;
const LEAST_SMOOTHING = 1e-9;
const POINT_FRACTION = 0.5;

export const quantileRegression: ForecastMethod<RegressionWeights, readonly number[]> = {
  name: 'quantile-regression',
  beginFit: ({ task }) => {
    const last = Array.from({ length: task.lags + 1 }, (_, column) => (column === task.lags - 1 ? 1 : 0));
    return { doneSteps: 0, totalSteps: STEPS, weights: { point: last, upper: last } };
  },
  fitStep: ({ doneSteps, totalSteps, weights }, training): Fitting<RegressionWeights> => ({
    doneSteps: doneSteps + 1,
    totalSteps,
    weights: {
      point: improveCoefficients(weights.point, training, POINT_FRACTION),
      upper: improveCoefficients(weights.upper, training, training.task.upperFraction),
    },
  }),
  begin: () => [],
  observe: ({ point }, memory, maximumRps) => remember(memory, maximumRps, point.length - 1),
  predict: ({ point, upper }, memory) => {
    const window = fullWindow(memory, point.length - 1);
    if (window === undefined) return { pointRps: 0, upperRps: 0 };
    const pointRps = Math.max(0, linearForecast(point, window, 0));
    return { pointRps, upperRps: Math.max(pointRps, linearForecast(upper, window, 0)) };
  },
};

function linearForecast(coefficients: ArrayLike<number>, values: Float64Array, at: number): number {
  const last = coefficients.length - 1;
  let sum = coefficients[last] as number;
  for (let k = 0; k < last; k++) sum += (coefficients[k] as number) * (values[at + k] as number);
  return sum;
}

function improveCoefficients(
  coefficients: readonly number[],
  { task, maximaRps, targetsRps }: TrainingPeaks,
  fraction: number,
): readonly number[] {
  const { lags } = task;
  if (targetsRps.length <= lags) return coefficients;
  const size = lags + 1;
  const current = Float64Array.from(coefficients);
  const system = { matrix: new Float64Array(size * size), right: new Float64Array(size) };
  const row = new Float64Array(size).fill(1);
  const epsilon = Math.max(LEAST_SMOOTHING, SMOOTHING * meanOf(targetsRps));
  for (let i = lags; i < targetsRps.length; i++) {
    const target = targetsRps[i] as number;
    for (let k = 0; k < lags; k++) row[k] = maximaRps[i - lags + k] as number;
    const weight = 1 / (epsilon + Math.abs(target - linearForecast(current, maximaRps, i - lags)));
    accumulate(system, row, { weight, right: weight * target + 2 * fraction - 1 });
  }
  return Array.from(symmetricSolver(system.matrix, size)(system.right));
}

function accumulate(
  { matrix, right }: { readonly matrix: Float64Array; readonly right: Float64Array },
  row: Float64Array,
  example: { readonly weight: number; readonly right: number },
): void {
  const size = row.length;
  for (let i = 0; i < size; i++) {
    const value = row[i] as number;
    right[i] = (right[i] as number) + value * example.right;
    const weighted = value * example.weight;
    for (let k = 0; k <= i; k++)
      matrix[i * size + k] = (matrix[i * size + k] as number) + weighted * (row[k] as number);
  }
}

function meanOf(values: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] as number;
  return sum / values.length;
}
