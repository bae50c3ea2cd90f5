import { normalQuantile } from './normal-quantile.js';

/** Seeded randomness: xoshiro128** (Blackman and Vigna, 2018) on 32-bit lanes, seeded by SplitMix32. */

/** Uniform numbers in [0, 1). */
export interface Rng {
  next(): number;
  /** Independent stream per `label`: a new consumer does not change what others draw. */
  fork(label: string): Rng;
}

const TWO_POW_32 = 4294967296;

function splitMix32(state: number): () => number {
  let s = state >>> 0;
  return () => {
    s = (s + 0x9e3779b9) >>> 0;
    let z = s;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
}

function hashLabel(label: string, seed: number): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (let i = 0; i < label.length; i++) hash = Math.imul(hash ^ label.charCodeAt(i), 0x01000193) >>> 0;
  return splitMix32(hash)();
}

/** Equal seeds give equal numbers on every machine. */
export class SeededRng implements Rng {
  readonly #seed: number;
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(seed: number) {
    this.#seed = seed >>> 0;
    const mix = splitMix32(this.#seed);
    // Signed, because V8 keeps such lanes as small integers.
    this.#a = mix() | 0;
    this.#b = mix() | 0;
    this.#c = mix() | 0;
    this.#d = mix() | 0;
  }

  next(): number {
    const scrambled = Math.imul(this.#b, 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result / TWO_POW_32;
  }

  fork(label: string): Rng {
    return new SeededRng(hashLabel(label, this.#seed));
  }
}

/** Exponential draw with mean 1. */
export function drawExponential(rng: Rng): number {
  return -Math.log(1 - rng.next());
}

/** Gamma draw with mean 1 (Marsaglia and Tsang 2000, with their power rule for shapes below 1). */
export function drawGamma(shape: number, rng: Rng): number {
  const boosted = shape < 1 ? shape + 1 : shape;
  const d = boosted - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normalQuantile(rng.next());
    const v = (1 + c * x) ** 3;
    if (!(v > 0) || Math.log(1 - rng.next()) >= 0.5 * x * x + d - d * v + d * Math.log(v)) continue;
    const scaled = shape < 1 ? d * v * (1 - rng.next()) ** (1 / shape) : d * v;
    return scaled / shape;
  }
}
