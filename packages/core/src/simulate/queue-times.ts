import type { SimulatedReplica } from './simulated-fleet.js';

/** Times in which the queue of a stage was never empty. */
export class QueueTimes {
  /** By stage: earliest entry of the items since the queue was last empty; Infinity without one. */
  readonly #sinceMs: Float64Array;
  readonly #onEmptied: (sinceMs: number, nowMs: number) => void;

  constructor(stages: number, onEmptied: (sinceMs: number, nowMs: number) => void) {
    this.#sinceMs = new Float64Array(stages).fill(Number.POSITIVE_INFINITY);
    this.#onEmptied = onEmptied;
  }

  /** A batch has left `queueLength` items in the queue. */
  batchStarted({ stage, batch }: SimulatedReplica, queueLength: number, nowMs: number): void {
    let sinceMs = this.#sinceMs[stage] as number;
    for (const { enqueuedAtMs } of batch) if (enqueuedAtMs < sinceMs) sinceMs = enqueuedAtMs;
    this.#sinceMs[stage] = queueLength > 0 ? sinceMs : Number.POSITIVE_INFINITY;
    if (queueLength === 0) this.#onEmptied(sinceMs, nowMs);
  }
}
