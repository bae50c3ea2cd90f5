/** Random choices of a fuzzer from one seeded source, so that a run can be repeated. */
import { type Rng, SeededRng } from '@equipoise/core/model';

export class Chance {
  readonly #rng: Rng;

  constructor(seed: number) {
    this.#rng = new SeededRng(seed);
  }

  /** An integer from 0 to `below` − 1. */
  below(below: number): number {
    return Math.floor(this.#rng.next() * below);
  }

  one<T>(all: readonly T[]): T {
    return all[this.below(all.length)] as T;
  }

  happens(probability: number): boolean {
    return this.#rng.next() < probability;
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)));
  }

  /** The bytes with a few of them changed, removed, doubled or cut off. */
  damaged(bytes: Buffer): Buffer {
    const at = this.below(Math.max(1, bytes.length));
    switch (this.below(5)) {
      case 0: {
        const copy = Buffer.from(bytes);
        for (let count = 1 + this.below(4); count > 0; count--) copy[this.below(copy.length)] = this.below(256);
        return copy;
      }
      case 1:
        return bytes.subarray(0, at);
      case 2:
        return Buffer.concat([bytes.subarray(0, at), this.bytes(1 + this.below(8)), bytes.subarray(at)]);
      case 3:
        return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + this.below(8))]);
      default:
        return Buffer.concat([bytes, bytes.subarray(at)]);
    }
  }
}
