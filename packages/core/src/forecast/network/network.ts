/** Trainable map. `forward` stores intermediate values for `backward`. */
import type { Rng } from '../../kernel/rng.js';

/** Outputs: logs of point and quantile, relative to the level. */
export const OUTPUTS = 2;

export interface Network {
  /** The last layer starts at 0. */
  initialParameters(rng: Rng): Float64Array;
  /** The next call overwrites the result. */
  forward(parameters: Float64Array, inputs: Float64Array): Float64Array;
  /** Adds to the gradient. Requires a preceding `forward` with the same arguments. */
  backward(parameters: Float64Array, inputs: Float64Array, back: NetworkGradients): void;
}

export interface NetworkGradients {
  readonly outputGradient: Float64Array;
  readonly gradient: Float64Array;
}
