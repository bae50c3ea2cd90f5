/** What a trainable map from inputs to outputs can do. Objects of it keep scratch space from `forward` for `backward`, and nothing else. */
import type { Rng } from '../../kernel/rng.js';

/** Number of outputs: logarithms of point and quantile, relative to the level. */
export const OUTPUTS = 2;

/** A network; its parameters are an argument. */
export interface Network {
  /** The last layer starts at 0, so an unfitted network answers with its output biases alone. */
  initialParameters(rng: Rng): Float64Array;
  /** The outputs; they are overwritten by the next call. */
  forward(parameters: Float64Array, inputs: Float64Array): Float64Array;
  /** After `forward` with the same arguments: adds the gradient of a loss whose slope in the outputs is `outputGradient`. */
  backward(parameters: Float64Array, inputs: Float64Array, back: NetworkGradients): void;
}

/** What comes into `backward` and what it adds to. */
export interface NetworkGradients {
  readonly outputGradient: Float64Array;
  readonly gradient: Float64Array;
}
