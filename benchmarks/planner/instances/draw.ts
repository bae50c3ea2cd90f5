import type { Rng } from '@equipoise/core/model';

/** Draws of common shapes from one random stream. */
export class Draw {
  readonly #rng: Rng;

  constructor(rng: Rng) {
    this.#rng = rng;
  }

  fork(label: string): Draw {
    return new Draw(this.#rng.fork(label));
  }

  uniform(low: number, high: number): number {
    return low + (high - low) * this.#rng.next();
  }

  logUniform(low: number, high: number): number {
    return Math.exp(this.uniform(Math.log(low), Math.log(high)));
  }

  /** Integer from `low` to `high`, both included. */
  integer(low: number, high: number): number {
    return Math.min(high, Math.floor(this.uniform(low, high + 1)));
  }

  chance(probability: number): boolean {
    return this.#rng.next() < probability;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.integer(0, from.length - 1)] as T;
  }

  /** Random key of `weights`, drawn by weight. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const entries = Object.entries(weights) as [K, number][];
    let left = this.#rng.next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [key, weight] of entries) {
      left -= weight;
      if (left < 0) return key;
    }
    return (entries.at(-1) as [K, number])[0];
  }
}

/** Rounds to `digits` significant digits. */
export const significant = (value: number, digits: number): number => Number(value.toPrecision(digits));
