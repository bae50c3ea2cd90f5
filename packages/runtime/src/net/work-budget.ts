/** Time of the serving thread that one kind of work may take: a fraction of it in the long run, and a burst. */

export interface WorkLimits {
  readonly burstMs: number;
  readonly fraction: number;
}

export class WorkBudget {
  readonly #limits: WorkLimits;
  readonly #nowMs: () => number;
  /** Time at which all work so far is paid for. */
  #paidAtMs = Number.NEGATIVE_INFINITY;

  constructor(limits: WorkLimits, nowMs: () => number) {
    this.#limits = limits;
    this.#nowMs = nowMs;
  }

  /** Time (ms) until further work is within the limits; not positive if it is now. */
  get owedMs(): number {
    const { burstMs, fraction } = this.#limits;
    return this.#paidAtMs - this.#nowMs() - burstMs / fraction;
  }

  /** Returns what `work` returns, and counts the time that it takes. */
  count<T>(work: () => T): T {
    const startedMs = this.#nowMs();
    try {
      return work();
    } finally {
      const tookMs = this.#nowMs() - startedMs;
      this.#paidAtMs = Math.max(this.#paidAtMs, startedMs) + tookMs / this.#limits.fraction;
    }
  }
}
