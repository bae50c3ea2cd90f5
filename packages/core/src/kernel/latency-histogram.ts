/**
 * Latencies in logarithmic buckets: constant memory, quantiles exact to half a bucket (0.2 %), range 1 µs to 4.6 h.
 * Similar to HDR histograms and DDSketch (Masson et al. 2019). A bucket is the binary exponent and the first eight
 * fraction bits of a float.
 */

const FRACTION_BITS = 8;
/** A 32-bit float has 23 fraction bits. */
const DROPPED_BITS = 23 - FRACTION_BITS;
const SMALLEST_MS = 2 ** -10;
const LARGEST_MS = 2 ** 24;

const asFloat = new Float32Array(1);
const asBits = new Int32Array(asFloat.buffer);

function leadingBits(latencyMs: number): number {
  asFloat[0] = latencyMs;
  return (asBits[0] as number) >> DROPPED_BITS;
}

function bucketStartMs(bucket: number): number {
  asBits[0] = (bucket + FIRST_BUCKET) << DROPPED_BITS;
  return asFloat[0] as number;
}

const FIRST_BUCKET = leadingBits(SMALLEST_MS);
const BUCKET_COUNT = leadingBits(LARGEST_MS) - FIRST_BUCKET;

function bucketOf(latencyMs: number): number {
  if (latencyMs <= SMALLEST_MS) return 0;
  return Math.min(leadingBits(latencyMs) - FIRST_BUCKET, BUCKET_COUNT - 1);
}

/** Histogram in ms. Values outside the range count in the first or last bucket. */
export class LatencyHistogram {
  readonly #counts = new Float64Array(BUCKET_COUNT);
  #count = 0;
  #sumMs = 0;
  #maxMs = 0;

  get count(): number {
    return this.#count;
  }

  get meanMs(): number {
    return this.#count === 0 ? 0 : this.#sumMs / this.#count;
  }

  get maxMs(): number {
    return this.#maxMs;
  }

  record(latencyMs: number, times = 1): void {
    const index = bucketOf(latencyMs);
    this.#counts[index] = (this.#counts[index] as number) + times;
    this.#count += times;
    this.#sumMs += times * latencyMs;
    if (latencyMs > this.#maxMs) this.#maxMs = latencyMs;
  }

  /** Removes all values, at no cost if there are none. */
  clear(): void {
    if (this.#count === 0) return;
    this.#counts.fill(0);
    this.#count = 0;
    this.#sumMs = 0;
    this.#maxMs = 0;
  }

  merge(other: LatencyHistogram): void {
    for (let i = 0; i < BUCKET_COUNT; i++) {
      this.#counts[i] = (this.#counts[i] as number) + (other.#counts[i] as number);
    }
    this.#count += other.#count;
    this.#sumMs += other.#sumMs;
    if (other.#maxMs > this.#maxMs) this.#maxMs = other.#maxMs;
  }

  /** Quantile in ms, at most the maximum; 0 without values. */
  quantileMs(fraction: number): number {
    const rank = Math.max(1, Math.ceil(fraction * this.#count));
    let seen = 0;
    for (let i = 0; i < BUCKET_COUNT; i++) {
      seen += this.#counts[i] as number;
      if (seen >= rank) return Math.min(this.#maxMs, (bucketStartMs(i) + bucketStartMs(i + 1)) / 2);
    }
    return this.#maxMs;
  }

  /** Fraction (0…1) of values up to the end of the bucket of `latencyMs`; 0 without values. */
  fractionUpTo(latencyMs: number): number {
    let seen = 0;
    for (let i = 0; i <= bucketOf(latencyMs); i++) seen += this.#counts[i] as number;
    return this.#count === 0 ? 0 : seen / this.#count;
  }
}
