import type { Fitting, ForecastMethod } from '../forecast-method.js';
import { type PeakTask, remember, type TrainingPeaks } from '../peak-series.js';
import { quantileFactor } from './upper-factor.js';

export interface WindowWeights {
  readonly windowBins: number;
  readonly upperFactor: number;
}

export interface WindowRule {
  readonly name: string;
  windowBins(task: PeakTask): number;
  /** Requires at least one maximum. */
  pointRps(windowRps: ArrayLike<number>): number;
}

function windowMethod(rule: WindowRule): ForecastMethod<WindowWeights, readonly number[]> {
  return {
    name: rule.name,
    beginFit: ({ task }) => ({
      doneSteps: 0,
      totalSteps: 1,
      weights: { windowBins: rule.windowBins(task), upperFactor: 1 },
    }),
    fitStep: ({ weights: { windowBins } }, training): Fitting<WindowWeights> => {
      const { task, targetsRps } = training;
      const points = { pointsRps: pointsOf(rule, windowBins, training), targetsRps: targetsRps.subarray(task.lags) };
      const upperFactor = quantileFactor(points, task.upperFraction);
      return { doneSteps: 1, totalSteps: 1, weights: { windowBins, upperFactor } };
    },
    begin: () => [],
    observe: ({ windowBins }, memory, maximumRps) => remember(memory, maximumRps, windowBins),
    predict: ({ upperFactor }, memory) => {
      const pointRps = memory.length === 0 ? 0 : rule.pointRps(memory);
      return { pointRps, upperRps: upperFactor * pointRps };
    },
  };
}

function pointsOf(rule: WindowRule, windowBins: number, { task, maximaRps, targetsRps }: TrainingPeaks): Float64Array {
  const points = new Float64Array(Math.max(0, targetsRps.length - task.lags));
  for (let i = 0; i < points.length; i++) {
    const end = task.lags + i;
    points[i] = rule.pointRps(maximaRps.subarray(end - windowBins, end));
  }
  return points;
}

export const windowMean = windowMethod({
  name: 'window-mean',
  windowBins: ({ lags }) => lags,
  pointRps: (window) => {
    let sum = 0;
    for (let i = 0; i < window.length; i++) sum += window[i] as number;
    return sum / window.length;
  },
});

const largestOf = (window: ArrayLike<number>): number => {
  let most = 0;
  for (let i = 0; i < window.length; i++) most = Math.max(most, window[i] as number);
  return most;
};

export const lastTwoMax = windowMethod({
  name: 'last-two-max',
  windowBins: ({ lags }) => Math.min(2, lags),
  pointRps: largestOf,
});

export const windowMax = windowMethod({ name: 'window-max', windowBins: ({ lags }) => lags, pointRps: largestOf });

export const lastValue = windowMethod({
  name: 'last-value',
  windowBins: () => 1,
  pointRps: (window) => window[window.length - 1] as number,
});
