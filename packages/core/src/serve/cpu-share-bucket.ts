/**
 * Bucket of CPU time for a replica with a share f below one core. Its level (ms) starts at the burst size. While idle,
 * it rises by f per ms, up to that size. During a batch it changes by f − 1 per ms. A batch may start only at a level ≥
 * 0 and then runs at full speed. A debit at a batch's end would lose the refill while the bucket is full.
 */

const DEFAULT_BURST_MS = 50;

/** All times are on one monotonic clock. */
export class CpuShareBucket {
  readonly #shareFraction: number;
  readonly #burstMs: number;
  #levelMs: number;
  #levelAtMs: number;
  #running = false;

  constructor(shareFraction: number, nowMs: number, burstMs: number = DEFAULT_BURST_MS) {
    this.#shareFraction = shareFraction;
    this.#burstMs = burstMs;
    this.#levelMs = burstMs;
    this.#levelAtMs = nowMs;
  }

  /** Earliest time at which a batch may start; `nowMs` means now. */
  readyAtMs(nowMs: number): number {
    this.#settle(nowMs);
    return this.#levelMs >= 0 ? nowMs : nowMs - this.#levelMs / this.#shareFraction;
  }

  batchStarted(nowMs: number): void {
    this.#settle(nowMs);
    this.#running = true;
  }

  batchEnded(nowMs: number): void {
    this.#settle(nowMs);
    this.#running = false;
  }

  #settle(nowMs: number): void {
    const elapsedMs = nowMs - this.#levelAtMs;
    this.#levelAtMs = nowMs;
    if (this.#running) this.#levelMs += (this.#shareFraction - 1) * elapsedMs;
    else this.#levelMs = Math.min(this.#burstMs, this.#levelMs + this.#shareFraction * elapsedMs);
  }
}
