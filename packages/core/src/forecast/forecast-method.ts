import type { PeakForecast, TrainingPeaks } from './peak-series.js';

/**
 * Interface of peak forecasts. Fitting is a chain of pure steps; the caller may stop after any. Weights and memory are
 * plain JSON data.
 */

/** `weights` are usable after each step and final after all steps. */
export interface Fitting<Weights> {
  readonly doneSteps: number;
  readonly totalSteps: number;
  readonly weights: Weights;
}

/** Equal training and seed give equal weights. */
export interface ForecastMethod<Weights = unknown, Memory = unknown, Fit extends Fitting<Weights> = Fitting<Weights>> {
  readonly name: string;
  beginFit(training: TrainingPeaks, seed: number): Fit;
  fitStep(fit: Fit, training: TrainingPeaks): Fit;
  begin(weights: Weights): Memory;
  /** `maximumRps` is finite and at least 0. */
  observe(weights: Weights, memory: Memory, maximumRps: number): Memory;
  predict(weights: Weights, memory: Memory): PeakForecast;
}

export interface TrainedForecaster {
  readonly method: string;
  readonly weights: unknown;
}
