/**
 * How long to wait before a lost replica is replaced: min(5 s, 0.1 s · 2^n) after n restarts in a row. A stage that has been
 * steady for 10 s starts anew at 0.1 s; so a crash costs little and a crash loop does not eat the machine.
 */
const firstDelayMs = 100;
const longestDelayMs = 5_000;
const steadyMs = 10_000;

/** The restarts of one stage. */
export class RestartBackoff {
  #attempts = 0;
  #lastTroubleAtMs = Number.NEGATIVE_INFINITY;

  /** Delay before the next restart, decided at `nowMs`. */
  nextDelayMs(nowMs: number): number {
    if (nowMs - this.#lastTroubleAtMs > steadyMs) this.#attempts = 0;
    this.noteRestart(nowMs);
    const delayMs = Math.min(longestDelayMs, firstDelayMs * 2 ** this.#attempts);
    this.#attempts += 1;
    return delayMs;
  }

  /** A restart has ended, well or not; steadiness counts from here. */
  noteRestart(nowMs: number): void {
    this.#lastTroubleAtMs = nowMs;
  }
}
