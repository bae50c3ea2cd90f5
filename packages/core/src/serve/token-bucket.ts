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

  /** Takes a token and returns 0; without one, returns the time in ms until the next token. */
  take(nowMs: number): number {
    const perTokenMs = 1000 / this.limit.rps;
    const fullAtMs = Math.max(this.#fullAtMs, nowMs) + perTokenMs;
    const waitMs = fullAtMs - nowMs - this.limit.burst * perTokenMs;
    // Tolerates rounding.
    if (waitMs > 1e-6) return waitMs;
    this.#fullAtMs = fullAtMs;
    return 0;
  }
}
