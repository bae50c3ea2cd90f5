/**
 * Bucket of CPU time for a replica with a share f below one core. Its level (ms) starts at the burst size, rises by f
 * per ms up to that size, and falls by the CPU time of each batch. A batch may start only at a level ≥ 0 and then runs
 * at full speed. Time in which other processes hold the core is no CPU time, so a busy machine uses up no share.
 */

const DEFAULT_BURST_MS = 50;

/** All times are on one monotonic clock. */
export class CpuShareBucket {
  readonly #shareFraction: number;
  readonly #burstMs: number;
  #levelMs: number;
  #levelAtMs: number;

  constructor(shareFraction: number, nowMs: number, burstMs: number = DEFAULT_BURST_MS) {
    this.#shareFraction = shareFraction;
    this.#burstMs = burstMs;
    this.#levelMs = burstMs;
    this.#levelAtMs = nowMs;
  }

  /** Earliest time at which a batch may start; `nowMs` means now. Call only between batches. */
  readyAtMs(nowMs: number): number {
    this.#settle(nowMs, this.#shareFraction * (nowMs - this.#levelAtMs));
    return this.#levelMs >= 0 ? nowMs : nowMs - this.#levelMs / this.#shareFraction;
  }

  batchStarted(nowMs: number): void {
    this.#settle(nowMs, this.#shareFraction * (nowMs - this.#levelAtMs));
  }

  /** `cpuMs`: CPU time of the batch. It counts up to the time since the batch's start, which is the default. */
  batchEnded(nowMs: number, cpuMs = Number.POSITIVE_INFINITY): void {
    const ranMs = nowMs - this.#levelAtMs;
    this.#settle(nowMs, (this.#shareFraction - 1) * ranMs + Math.max(0, ranMs - cpuMs));
  }

  #settle(nowMs: number, gainMs: number): void {
    this.#levelAtMs = nowMs;
    this.#levelMs = Math.min(this.#burstMs, this.#levelMs + gainMs);
  }
}
