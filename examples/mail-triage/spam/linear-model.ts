import { featureCount } from './features.js';

/** Log-odds of spam. `values` holds the bias and one weight per feature. */
export function spamLogit(values: Float32Array, features: ReadonlySet<number>): number {
  let sum = 0;
  for (const feature of features) sum += values[1 + feature] ?? 0;
  return (values[0] ?? 0) + sum / Math.sqrt(Math.max(1, features.size));
}

/** Probability of spam, 0…1. */
export function spamProbability(values: Float32Array, features: ReadonlySet<number>): number {
  return 1 / (1 + Math.exp(-spamLogit(values, features)));
}

/** Reads the bias and the weights from a file of little-endian FP32 numbers. */
export function modelFrom(file: Uint8Array): Float32Array {
  const values = new Float32Array(file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength));
  if (values.length !== 1 + featureCount)
    throw new Error(`A model has ${1 + featureCount} numbers, not ${values.length}.`);
  return values;
}
