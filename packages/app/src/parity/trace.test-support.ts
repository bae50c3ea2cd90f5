/** Compared facts: every batch, every end of a request, and the running plan after every instant that changed it. */
import type { RunningPlan } from '@equipoise/core/model';

/** Events of a run in order, as comparable text. */
export interface Trace {
  /** Start, replica, service time and keys of the members. */
  readonly batches: readonly string[];
  /** Instants of end and arrival, and outcome, in order of the ends. */
  readonly ends: readonly string[];
  /** Instant of the end and outcome by request number; holes for requests that never ended. */
  readonly outcomes: readonly (string | undefined)[];
  /** Instant, and the running plan from then on. */
  readonly fleet: readonly string[];
  /** Failed requests that count against the plan, at each tick. */
  readonly failedAtTicks: readonly number[];
}

export class TraceWriter implements Trace {
  readonly batches: string[] = [];
  readonly ends: string[] = [];
  readonly outcomes: (string | undefined)[] = [];
  readonly fleet: string[] = [];
  readonly failedAtTicks: number[] = [];
  #runningAtMs = -1;
  #running = '';
  #before = '';

  batch(nowMs: number, replicaId: string, serviceMs: number, keys: readonly number[]): void {
    this.batches.push(`${nowMs} ${replicaId} ${serviceMs} [${keys.join(' ')}]`);
  }

  end(nowMs: number, arrivedAtMs: number, outcome: string): void {
    this.ends.push(`${nowMs} of ${arrivedAtMs} ${outcome}`);
  }

  outcome(sequence: number, nowMs: number, outcome: string): void {
    this.outcomes[sequence] = `${nowMs} ${outcome}`;
  }

  /** Records the running plan; of several plans at one instant the last counts. */
  runs({ stages }: RunningPlan, nowMs: number): void {
    const text = Object.entries(stages)
      .map(([id, stage]) => {
        const replicas = stage.replicas.map(({ replicaId, status }) => `${replicaId}:${status}`).join(' ');
        const canary = stage.canary ? ` ${stage.canary.variantId} gets ${stage.canary.fraction}` : '';
        return `${id} ${stage.maxBatchSize}/${stage.maxBatchWaitMs} ${replicas}${canary}`;
      })
      .join(', ');
    if (nowMs !== this.#runningAtMs) this.close();
    this.#runningAtMs = nowMs;
    this.#running = text;
  }

  /** Records the state of the last instant. */
  close(): void {
    if (this.#running === this.#before) return;
    this.#before = this.#running;
    this.fleet.push(`${this.#runningAtMs} ${this.#running}`);
  }
}
