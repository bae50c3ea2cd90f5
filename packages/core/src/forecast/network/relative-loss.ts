/**
 * What the networks are trained for. With f = level·e^a and d = ln f − ln y, the symmetric relative error |y − f| ÷ ((y + f) ÷ 2) is
 * exactly 2·tanh(|d| ÷ 2): smooth in a but for its kink at the target. The quantile level·e^c has the pinball loss in rps itself, divided by
 * the mean target so that both losses are of the same size. Both y and f have half a request added.
 */
import type { PeakForecast } from '../peaks/peak-task.js';
import { HALF_REQUEST_RPS } from './relative-lags.js';

/** A target with the level of its lags, half a request added to both. */
export interface RelativeTarget {
  readonly level: number;
  readonly target: number;
}

/** What belongs to a training and not to an example. */
export interface LossScale {
  readonly upperFraction: number;
  readonly meanTarget: number;
}

/** Slopes of the two losses, each in its output. */
export function writeLossGradient(
  gradient: Float64Array,
  outputs: Float64Array,
  { level, target, upperFraction, meanTarget }: RelativeTarget & LossScale,
): void {
  const distance = Math.log(level / target) + (outputs[0] as number);
  const bounded = Math.tanh(distance / 2);
  gradient[0] = Math.sign(distance) * (1 - bounded * bounded);
  const upper = level * Math.exp(outputs[1] as number);
  gradient[1] = ((target > upper ? 0 : 1) - upperFraction) * (upper / meanTarget);
}

/** The forecast that the outputs mean. */
export function forecastFrom(outputs: Float64Array, level: number): PeakForecast {
  const pointRps = Math.max(0, level * Math.exp(outputs[0] as number) - HALF_REQUEST_RPS);
  return { pointRps, upperRps: Math.max(pointRps, level * Math.exp(outputs[1] as number) - HALF_REQUEST_RPS) };
}
