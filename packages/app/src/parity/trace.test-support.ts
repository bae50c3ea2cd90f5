/** What is compared: every batch, every end of a request, and what runs after every instant at which that changed. */
import type { RunningPlan } from '@equipoise/core/model';

/** The events of a run, each in its order, as text whose equality is that of the events. */
export interface Trace {
  /** Start, replica, service time and the keys of the members. */
  readonly batches: readonly string[];
  /** Instants of end and arrival, and outcome, in the order of the ends. */
  readonly ends: readonly string[];
  /** Instant of the end and outcome by number of the request; holes for those that never ended. */
  readonly outcomes: readonly (string | undefined)[];
  /** Instant and what runs from then on. */
  readonly fleet: readonly string[];
  /** Requests that had failed by what the plan may have caused, as each tick saw it. */
  readonly failedAtTicks: readonly number[];
}

/** Writes a trace. */
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

  /** Takes note of what runs; of several plans at one instant the last one counts. */
  runs({ stages }: RunningPlan, nowMs: number): void {
    const text = Object.entries(stages)
      .map(([id, stage]) => {
        const replicas = stage.replicas.map(({ replicaId, status }) => `${replicaId}:${status}`).join(' ');
        return `${id} ${stage.maxBatchSize}/${stage.maxBatchWaitMs} ${replicas}`;
      })
      .join(', ');
    if (nowMs !== this.#runningAtMs) this.close();
    this.#runningAtMs = nowMs;
    this.#running = text;
  }

  /** Writes down what the last instant came to. */
  close(): void {
    if (this.#running === this.#before) return;
    this.#before = this.#running;
    this.fleet.push(`${this.#runningAtMs} ${this.#running}`);
  }
}
