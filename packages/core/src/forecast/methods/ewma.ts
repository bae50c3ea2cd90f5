/**
 * Exponential smoothing: level ← w·x + (1 − w)·level. Two weights are chosen from a grid: for the point by relative
 * error, for the quantile by pinball loss.
 */
import { pinballLoss, symmetricError } from '../forecast-errors.js';
import type { Fitting, ForecastMethod } from '../forecast-method.js';
import type { TrainingPeaks } from '../peak-series.js';
import { quantileFactor } from './upper-factor.js';

export interface EwmaWeights {
  readonly pointWeight: number;
  readonly upperWeight: number;
  readonly upperFactor: number;
}

export interface EwmaMemory {
  readonly pointRps: number;
  readonly upperRps: number;
}

interface EwmaFit extends Fitting<EwmaWeights> {
  readonly pointLoss?: number;
  readonly upperLoss?: number;
}

const GRID = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9] as const;

/** Training takes one step per grid value. */
export const ewma: ForecastMethod<EwmaWeights, EwmaMemory | undefined, EwmaFit> = {
  name: 'ewma',
  beginFit: () => ({
    doneSteps: 0,
    totalSteps: GRID.length,
    weights: { pointWeight: 0.4, upperWeight: 0.4, upperFactor: 1 },
  }),
  fitStep: (fit, training) => {
    const weight = GRID[fit.doneSteps] as number;
    const tried = lossesOf(weight, training);
    const betterPoint = tried.pointLoss < (fit.pointLoss ?? Number.POSITIVE_INFINITY);
    const betterUpper = tried.upperLoss < (fit.upperLoss ?? Number.POSITIVE_INFINITY);
    return {
      ...fit,
      doneSteps: fit.doneSteps + 1,
      weights: {
        pointWeight: betterPoint ? weight : fit.weights.pointWeight,
        upperWeight: betterUpper ? weight : fit.weights.upperWeight,
        upperFactor: betterUpper ? tried.upperFactor : fit.weights.upperFactor,
      },
      ...(betterPoint && { pointLoss: tried.pointLoss }),
      ...(betterUpper && { upperLoss: tried.upperLoss }),
    };
  },
  begin: () => undefined,
  observe: ({ pointWeight, upperWeight }, memory, maximumRps) => {
    const { pointRps, upperRps } = memory ?? { pointRps: maximumRps, upperRps: maximumRps };
    return {
      pointRps: smooth(pointRps, maximumRps, pointWeight),
      upperRps: smooth(upperRps, maximumRps, upperWeight),
    };
  },
  predict: ({ upperFactor }, memory) => ({
    pointRps: memory?.pointRps ?? 0,
    upperRps: upperFactor * (memory?.upperRps ?? 0),
  }),
};

const smooth = (level: number, value: number, weight: number): number => weight * value + (1 - weight) * level;

/** NaN without examples; NaN never wins. */
function lossesOf(weight: number, { task, maximaRps, targetsRps }: TrainingPeaks) {
  const examples = targetsRps.subarray(task.lags);
  const pointsRps = new Float64Array(examples.length);
  let level = maximaRps[0] ?? 0;
  for (let i = 0; i < targetsRps.length; i++) {
    if (i >= task.lags) pointsRps[i - task.lags] = level;
    level = smooth(level, maximaRps[i] as number, weight);
  }
  const upperFactor = quantileFactor({ pointsRps, targetsRps: examples }, task.upperFraction);
  let pointLoss = 0;
  let upperLoss = 0;
  for (let i = 0; i < examples.length; i++) {
    const [target, point] = [examples[i] as number, pointsRps[i] as number];
    pointLoss += symmetricError(target, Math.round(point));
    upperLoss += pinballLoss(target, upperFactor * point, task.upperFraction);
  }
  return { upperFactor, pointLoss: pointLoss / examples.length, upperLoss: upperLoss / examples.length };
}
