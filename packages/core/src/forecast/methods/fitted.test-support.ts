import type { Fitting, ForecastMethod } from '../forecast-method.js';
import { type PeakForecast, type PeakTask, trainingPeaks } from '../peak-series.js';

/** Task: three maxima in, the larger of the next two out. */
export const smallTask: PeakTask = { binS: 10, lags: 3, horizonBins: 2, upperFraction: 0.9 };

/** Weights that a method fits to a series. */
export function fitted<Weights, Memory, Fit extends Fitting<Weights>>(
  method: ForecastMethod<Weights, Memory, Fit>,
  maximaRps: readonly number[],
  task: PeakTask = smallTask,
): Weights {
  const training = trainingPeaks(Float64Array.from(maximaRps), task);
  let fit = method.beginFit(training, 7);
  while (fit.doneSteps < fit.totalSteps) fit = method.fitStep(fit, training);
  return fit.weights;
}

/** Forecast of a method after the given maxima. */
export function predictionOf<Weights, Memory>(
  method: ForecastMethod<Weights, Memory>,
  weights: Weights,
  maximaRps: readonly number[],
): PeakForecast {
  const memory = maximaRps.reduce((seen, value) => method.observe(weights, seen, value), method.begin(weights));
  return method.predict(weights, memory);
}
