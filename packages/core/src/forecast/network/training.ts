import { SeededRng } from '../../kernel/rng.js';
import type { PeakForecast } from '../peak-series.js';
import { HALF_REQUEST_RPS } from './relative-lags.js';

/** Adam: gradient steps whose size adapts per parameter (Kingma and Ba 2015). */

/** Arrays of one length. */
export interface AdamState {
  readonly parameters: Float64Array;
  readonly mean: Float64Array;
  readonly square: Float64Array;
}

const MEAN_DECAY = 0.9;
const SQUARE_DECAY = 0.999;
const EPSILON = 1e-8;

/** Updates the state in place. `step` counts from 1. */
export function adamStep(
  { parameters, mean, square }: AdamState,
  gradient: Float64Array,
  { step, rate }: { readonly step: number; readonly rate: number },
): void {
  const meanBias = 1 - MEAN_DECAY ** step;
  const squareBias = 1 - SQUARE_DECAY ** step;
  for (let k = 0; k < parameters.length; k++) {
    const slope = gradient[k] as number;
    const smoothed = MEAN_DECAY * (mean[k] as number) + (1 - MEAN_DECAY) * slope;
    const size = SQUARE_DECAY * (square[k] as number) + (1 - SQUARE_DECAY) * slope * slope;
    mean[k] = smoothed;
    square[k] = size;
    parameters[k] =
      (parameters[k] as number) - (rate * (smoothed / meanBias)) / (Math.sqrt(size / squareBias) + EPSILON);
  }
}

/** Endless sequence of random permutations, read by position; ascending positions are fast. */
export function shuffledOrder(examples: number, seed: number): (place: number) => number {
  let epoch = -1;
  let order: Uint32Array = new Uint32Array(0);
  return (place) => {
    const wanted = Math.floor(place / examples);
    if (wanted !== epoch) {
      epoch = wanted;
      order = shuffledIndices(examples, seed, epoch);
    }
    return order[place % examples] as number;
  };
}

function shuffledIndices(examples: number, seed: number, epoch: number): Uint32Array {
  const rng = new SeededRng(seed).fork(`epoch ${epoch}`);
  const order = Uint32Array.from({ length: examples }, (_, example) => example);
  for (let last = examples - 1; last > 0; last--) {
    const other = Math.floor(rng.next() * (last + 1));
    const swapped = order[last] as number;
    order[last] = order[other] as number;
    order[other] = swapped;
  }
  return order;
}

/**
 * Training loss. With f = level·e^a and d = ln f − ln y, the symmetric relative error |y − f| ÷ ((y + f) ÷ 2) is
 * 2·tanh(|d| ÷ 2).
 */

/** Both values include half a request. */
export interface RelativeTarget {
  readonly level: number;
  readonly target: number;
}

export interface LossScale {
  readonly upperFraction: number;
  readonly meanTarget: number;
}

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

export function forecastOfOutputs(outputs: Float64Array, level: number): PeakForecast {
  const pointRps = Math.max(0, level * Math.exp(outputs[0] as number) - HALF_REQUEST_RPS);
  return { pointRps, upperRps: Math.max(pointRps, level * Math.exp(outputs[1] as number) - HALF_REQUEST_RPS) };
}
