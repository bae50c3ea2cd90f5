/** Where fits start: weights spread so that activations keep their size from layer to layer (Glorot and Bengio 2010). */
import type { Rng } from '../../kernel/rng.js';
import type { AffineMap } from './affine-map.js';

/** Fills a map's W with uniform numbers of variance 1 ÷ inputs; its b stays 0. */
export function spreadWeights({ at, inputs, outputs }: AffineMap, parameters: Float64Array, rng: Rng): void {
  const most = Math.sqrt(3 / inputs);
  for (let row = 0; row < outputs; row++) {
    for (let k = 0; k < inputs; k++) parameters[at + row * (inputs + 1) + k] = most * (2 * rng.next() - 1);
  }
}
