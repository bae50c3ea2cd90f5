import type { PeakForecast, TrainingPeaks } from './peak-series.js';

/**
 * A way to foretell peaks. Fitting is a chain of pure steps, so that whoever runs it owns the thread and may stop between two of them;
 * what was fitted (weights) and what was seen since (memory) are plain data that survive JSON.
 */

/** How far a fit is. Its weights can be used at any time and are final when all steps are done. */
export interface Fitting<Weights> {
  readonly doneSteps: number;
  readonly totalSteps: number;
  readonly weights: Weights;
}

/** A method; the same training and seed give the same weights. */
export interface ForecastMethod<Weights = unknown, Memory = unknown, Fit extends Fitting<Weights> = Fitting<Weights>> {
  readonly name: string;
  /** Training may be short or empty: the weights are then those that assume least. */
  beginFit(training: TrainingPeaks, seed: number): Fit;
  fitStep(fit: Fit, training: TrainingPeaks): Fit;
  /** The memory of somebody who has seen nothing. */
  begin(weights: Weights): Memory;
  /** The memory after one more maximum; `maximumRps` is finite and 0 or more. */
  observe(weights: Weights, memory: Memory, maximumRps: number): Memory;
  predict(weights: Weights, memory: Memory): PeakForecast;
}

/** A method's name with what was fitted, as it is stored. */
export interface TrainedForecaster {
  readonly method: string;
  readonly weights: unknown;
}
