/**
 * Rate limit with bursts: a bucket that fills with `rps` tokens per second up to `burst`. (Generic cell rate algorithm:
 * the state is the time at which the bucket would be full.)
 */

export interface RateLimit {
  readonly rps: number;
  readonly burst: number;
}

/** Initially full. */
export class TokenBucket {
  readonly limit: RateLimit;
  #fullAtMs = Number.NEGATIVE_INFINITY;

  constructor(limit: RateLimit) {
    this.limit = limit;
  }

  /** Takes the tokens and returns 0; without them, takes none and returns the time in ms until there are enough. */
  take(nowMs: number, tokens = 1): number {
    const perTokenMs = 1000 / this.limit.rps;
    const fullAtMs = Math.max(this.#fullAtMs, nowMs) + tokens * perTokenMs;
    const waitMs = fullAtMs - nowMs - this.limit.burst * perTokenMs;
    // Tolerates rounding.
    if (waitMs > 1e-6) return waitMs;
    this.#fullAtMs = fullAtMs;
    return 0;
  }
}
