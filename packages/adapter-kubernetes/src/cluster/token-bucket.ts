import type { Clock } from '@equipoise/core/model';

/** Bucket of `burst` tokens, refilled at `perSecond`. A caller may take a token in advance and waits until it is due. */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #msPerToken: number;
  readonly #burst: number;
  /** Time at which the bucket would be full; one token later for each token taken. */
  #fullAtMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, { perSecond, burst }: { readonly perSecond: number; readonly burst: number }) {
    this.#clock = clock;
    this.#msPerToken = 1000 / perSecond;
    this.#burst = burst;
  }

  /** Takes a token; returns the time (ms) until it is due. */
  take(): number {
    const nowMs = this.#clock.nowMs();
    this.#fullAtMs = Math.max(this.#fullAtMs, nowMs) + this.#msPerToken;
    return Math.max(0, this.#fullAtMs - nowMs - this.#burst * this.#msPerToken);
  }
}
