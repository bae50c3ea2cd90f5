/**
 * Latencies in logarithmic buckets: constant memory for any number of requests, quantiles within half a bucket (0.25 %).
 * The idea of HDR histograms and DDSketch (Masson et al. 2019) with a fixed range of 1 µs to about 3 hours.
 */

const SMALLEST_MS = 0.001;
const BUCKETS_PER_E = 200;
const BUCKET_COUNT = Math.ceil(Math.log(1e10) * BUCKETS_PER_E) + 1;

function bucketOf(latencyMs: number): number {
  const bucket = latencyMs <= SMALLEST_MS ? 0 : Math.floor(Math.log(latencyMs / SMALLEST_MS) * BUCKETS_PER_E);
  return Math.min(bucket, BUCKET_COUNT - 1);
}

/** Counts of latencies in ms; values outside the range fall into the first or last bucket. */
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

  /** Counts `latencyMs`, `times` over. */
  record(latencyMs: number, times = 1): void {
    const index = bucketOf(latencyMs);
    this.#counts[index] = (this.#counts[index] as number) + times;
    this.#count += times;
    this.#sumMs += times * latencyMs;
    if (latencyMs > this.#maxMs) this.#maxMs = latencyMs;
  }

  /** Takes in everything that `other` has counted. */
  merge(other: LatencyHistogram): void {
    for (let i = 0; i < BUCKET_COUNT; i++) {
      this.#counts[i] = (this.#counts[i] as number) + (other.#counts[i] as number);
    }
    this.#count += other.#count;
    this.#sumMs += other.#sumMs;
    if (other.#maxMs > this.#maxMs) this.#maxMs = other.#maxMs;
  }

  /** Latency (ms) below which `fraction` (0…1) of the values lie; 0 without values, never above the largest value. */
  quantileMs(fraction: number): number {
    const rank = Math.max(1, Math.ceil(fraction * this.#count));
    let seen = 0;
    for (let i = 0; i < BUCKET_COUNT; i++) {
      seen += this.#counts[i] as number;
      if (seen >= rank) return Math.min(this.#maxMs, SMALLEST_MS * Math.exp((i + 0.5) / BUCKETS_PER_E));
    }
    return this.#maxMs;
  }

  /** Fraction (0…1) of the values up to `latencyMs`, its whole bucket included; 0 without values. */
  fractionUpTo(latencyMs: number): number {
    let seen = 0;
    for (let i = 0; i <= bucketOf(latencyMs); i++) seen += this.#counts[i] as number;
    return this.#count === 0 ? 0 : seen / this.#count;
  }
}
