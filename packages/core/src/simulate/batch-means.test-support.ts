/**
 * Mean and 99th percentile of simulated sojourn times, with 99 % intervals by batch means (Law and Kelton). After the
 * warm-up the run is cut into equal batches. They are much longer than the correlation of requests, so they count as
 * independent.
 */

/** Value, and half width of its 99 % interval. */
export interface Estimate {
  readonly value: number;
  readonly halfWidth: number;
}

const BATCHES = 30;
/** Two-sided 99 % quantile of Student's t, 29 degrees of freedom. */
const T_99 = 2.756;
/** Fraction bits of a 32-bit float that are kept: resolution 0.02 %. */
const KEPT_BITS = 12;

const asFloat = new Float32Array(1);
const asBits = new Int32Array(asFloat.buffer);

function estimateOf(values: readonly number[]): Estimate {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { value: mean, halfWidth: T_99 * Math.sqrt(squares / (values.length - 1) / values.length) };
}

/** Adds sojourn times (ms) one by one, in constant memory. */
export class BatchMeans {
  readonly #batchSize: number;
  readonly #counts = new Uint32Array(2 ** (8 + KEPT_BITS));
  readonly #means: number[] = [];
  readonly #tails: number[] = [];
  #warmUp: number;
  #count = 0;
  #sumMs = 0;

  /**
   * `requests` is the expected total. Its first twentieth is the warm-up. Requests beyond the last batch are ignored.
   */
  constructor(requests: number) {
    this.#warmUp = Math.floor(requests / 20);
    this.#batchSize = Math.floor((0.99 * (requests - this.#warmUp)) / BATCHES);
  }

  add(sojournMs: number): void {
    if (this.#warmUp > 0) {
      this.#warmUp -= 1;
      return;
    }
    asFloat[0] = sojournMs;
    const bucket = (asBits[0] as number) >> (23 - KEPT_BITS);
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#sumMs += sojournMs;
    this.#count += 1;
    if (this.#count === this.#batchSize) this.#closeBatch();
  }

  estimates(): { readonly mean: Estimate; readonly p99: Estimate } {
    const batches = (values: readonly number[]): Estimate => estimateOf(values.slice(0, BATCHES));
    return { mean: batches(this.#means), p99: batches(this.#tails) };
  }

  #closeBatch(): void {
    this.#means.push(this.#sumMs / this.#count);
    this.#tails.push(this.#quantileMs(0.99));
    this.#counts.fill(0);
    this.#sumMs = 0;
    this.#count = 0;
  }

  #quantileMs(fraction: number): number {
    let left = Math.ceil(fraction * this.#count);
    let bucket = -1;
    while (left > 0) {
      bucket += 1;
      left -= this.#counts[bucket] as number;
    }
    asBits[0] = (bucket << (23 - KEPT_BITS)) + (1 << (22 - KEPT_BITS));
    return asFloat[0] as number;
  }
}
