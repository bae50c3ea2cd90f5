import type { Rng } from '../../kernel/rng.js';

/** Draws uniform weights of variance 1 ÷ inputs (Glorot and Bengio 2010). Biases stay 0. */
export function spreadWeights({ at, inputs, outputs }: AffineMap, parameters: Float64Array, rng: Rng): void {
  const most = Math.sqrt(3 / inputs);
  for (let row = 0; row < outputs; row++) {
    for (let k = 0; k < inputs; k++) parameters[at + row * (inputs + 1) + k] = most * (2 * rng.next() - 1);
  }
}

/** y = W·x + b in a flat array of parameters: per output its row of W, then its b. */

export interface AffineMap {
  readonly at: number;
  readonly inputs: number;
  readonly outputs: number;
}

export const endOf = ({ at, inputs, outputs }: AffineMap): number => at + outputs * (inputs + 1);

export function applyMap({ at, inputs, outputs }: AffineMap, parameters: Float64Array, vectors: AppliedVectors): void {
  const { input, output } = vectors;
  let place = at;
  for (let row = 0; row < outputs; row++) {
    let sum = 0;
    for (let k = 0; k < inputs; k++) sum += (parameters[place + k] as number) * (input[k] as number);
    output[row] = sum + (parameters[place + inputs] as number);
    place += inputs + 1;
  }
}

export interface AppliedVectors {
  readonly input: Float64Array;
  readonly output: Float64Array;
}

export interface BackwardVectors {
  readonly input: Float64Array;
  readonly outputGradient: Float64Array;
  readonly inputGradient?: Float64Array;
}

/** Adds dL/dW and dL/db to `gradient`, and Wᵀ·dL/dy to `inputGradient`. */
export function applyBackward(
  { at, inputs, outputs }: AffineMap,
  { parameters, gradient }: { readonly parameters: Float64Array; readonly gradient: Float64Array },
  { input, outputGradient, inputGradient }: BackwardVectors,
): void {
  let place = at;
  for (let row = 0; row < outputs; row++) {
    const slope = outputGradient[row] as number;
    for (let k = 0; k < inputs; k++)
      gradient[place + k] = (gradient[place + k] as number) + slope * (input[k] as number);
    gradient[place + inputs] = (gradient[place + inputs] as number) + slope;
    if (inputGradient !== undefined) {
      for (let k = 0; k < inputs; k++) {
        inputGradient[k] = (inputGradient[k] as number) + slope * (parameters[place + k] as number);
      }
    }
    place += inputs + 1;
  }
}
