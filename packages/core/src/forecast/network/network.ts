/** Trainable map. Instances keep scratch space from `forward` for `backward`. */
import type { Rng } from '../../kernel/rng.js';

/** Log of point and quantile, relative to the level. */
export const OUTPUTS = 2;

export interface Network {
  /** The last layer starts at 0. */
  initialParameters(rng: Rng): Float64Array;
  /** Returned outputs are overwritten by the next call. */
  forward(parameters: Float64Array, inputs: Float64Array): Float64Array;
  /**
   * Requires `forward` with the same arguments before. Adds the gradient of a loss with output slope `outputGradient`.
   */
  backward(parameters: Float64Array, inputs: Float64Array, back: NetworkGradients): void;
}

export interface NetworkGradients {
  readonly outputGradient: Float64Array;
  readonly gradient: Float64Array;
}
