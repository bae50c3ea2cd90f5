/** One step down a gradient with step sizes adapted to each parameter (Adam; Kingma and Ba 2015). */

/** What Adam remembers; of one length. */
export interface AdamState {
  readonly parameters: Float64Array;
  /** Smoothed gradient and smoothed squared gradient. */
  readonly mean: Float64Array;
  readonly square: Float64Array;
}

const MEAN_DECAY = 0.9;
const SQUARE_DECAY = 0.999;
const EPSILON = 1e-8;

/** Changes the state in place; `step` counts from 1. */
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
