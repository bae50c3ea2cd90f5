/** Methods that make one number of the last maxima and stand a factor above it for the quantile. */
import type { Fitting, ForecastMethod } from '../peaks/forecast-method.js';
import { remember } from '../peaks/lag-memory.js';
import type { TrainingPeaks } from '../peaks/peak-series.js';
import type { PeakTask } from '../peaks/peak-task.js';
import { quantileFactor } from './upper-factor.js';

/** What is fitted. */
export interface WindowWeights {
  readonly windowBins: number;
  readonly upperFactor: number;
}

/** What tells such methods from each other. */
export interface WindowRule {
  readonly name: string;
  windowBins(task: PeakTask): number;
  /** The point forecast from the maxima of the window, at least one. */
  pointRps(windowRps: ArrayLike<number>): number;
}

/** The method of a rule; fitted in one step. */
export function windowMethod(rule: WindowRule): ForecastMethod<WindowWeights, readonly number[]> {
  return {
    name: rule.name,
    beginFit: ({ task }) => ({
      ...{ doneSteps: 0, totalSteps: 1 },
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
