/**
 * The thread that serves a pipeline, as a queue with one server. Each request that arrives and each answer of a replica
 * waits for its turn, first come, first served. A turn takes time before the policies decide (a request is read, an
 * answer is taken) and after (batches are sent, then clients are answered).
 */
import { Fifo } from '../kernel/fifo.js';
import type { Rng } from '../kernel/rng.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { ThreadCost } from '../model/service-correction.js';
import { drawPauseMs } from '../profile/pauses.js';
import { spreadAt } from '../profile/quantile-spread.js';
import type { ServiceCurve, ServiceCurves } from '../profile/service-curves.js';

export interface ThreadDeps {
  readonly cost: ThreadCost;
  /** Time (ms) of each request that clients take on the core of the thread: half before it, half after it. */
  readonly clientMs: number;
  readonly rng: Rng;
  /** Mean time (ms) of a turn before the policies decide. */
  readonly beforeMs: (turn: number, thread: ServingThread) => number;
  /** Requests a call of `begin` at this time. */
  readonly schedule: (atMs: number) => void;
  /** Called when no turn waits; `sinceMs`: time since which some did. */
  readonly onQueueEmptied?: ((sinceMs: number, nowMs: number) => void) | undefined;
}

/** Turns are numbers, whose meaning is that of the simulation. */
export class ServingThread {
  readonly arrivalMs: number;
  readonly #answerMs: number;
  readonly #refusalMs: number;
  readonly #deps: ThreadDeps;
  readonly #waiting = new Fifo<number>();
  /** Time since which turns wait; of no meaning while none does. */
  #queuedSinceMs = 0;
  #freeAtMs = 0;
  /** Of the current turn. */
  #factor = 1;
  #sendingMs = 0;
  #answeringMs = 0;

  constructor(deps: ThreadDeps) {
    const { cost, clientMs } = deps;
    this.#deps = deps;
    this.arrivalMs = cost.arrivalMs.value + clientMs / 2;
    this.#answerMs = cost.answerMs.value + clientMs / 2;
    this.#refusalMs = cost.refusalMs.value + clientMs / 2;
  }

  isBusyAt(nowMs: number): boolean {
    return !this.#waiting.isEmpty || this.#freeAtMs > nowMs;
  }

  /** Queues a turn. */
  take(turn: number, nowMs: number): void {
    const isNext = this.#waiting.isEmpty;
    this.#waiting.push(turn);
    if (!isNext) return;
    this.#queuedSinceMs = nowMs;
    this.#scheduleNext(nowMs);
  }

  /** The turn that is due. */
  begin(nowMs: number): number {
    const turn = this.#waiting.shift();
    if (this.#waiting.isEmpty) this.#deps.onQueueEmptied?.(this.#queuedSinceMs, nowMs);
    return turn;
  }

  /** Mean time (ms) to send a batch, or to take its answer. Variants without a measurement cost as others. */
  halfHopMs({ calibrated }: ServiceCurve, batchSize: number): number {
    const { hopMs, itemMs } = calibrated?.correction.thread ?? this.#deps.cost;
    return (hopMs.value + itemMs.value * batchSize) / 2;
  }

  /** Time (ms) from the beginning of the current turn until a batch has been sent. */
  send(curve: ServiceCurve, batchSize: number): number {
    this.#sendingMs += this.#factor * this.halfHopMs(curve, batchSize);
    return this.#sendingMs;
  }

  answer(): void {
    this.#answeringMs += this.#factor * this.#answerMs;
  }

  refuse(): void {
    this.#answeringMs += this.#factor * this.#refusalMs;
  }

  /** Ends what happened at this instant, in a turn or outside. */
  end(nowMs: number): void {
    const workMs = this.#sendingMs + this.#answeringMs;
    if (workMs > 0) {
      this.#freeAtMs = Math.max(this.#freeAtMs, nowMs) + workMs + this.#pauseMs(workMs);
      this.#sendingMs = 0;
      this.#answeringMs = 0;
    }
  }

  /** Ends a turn, and schedules the next. */
  endTurn(nowMs: number): void {
    this.end(nowMs);
    if (!this.#waiting.isEmpty) this.#scheduleNext(nowMs);
  }

  #scheduleNext(nowMs: number): void {
    const { beforeMs, rng, cost, schedule } = this.#deps;
    this.#factor = spreadAt(cost.spread, rng.next());
    const workMs = this.#factor * beforeMs(this.#waiting.first as number, this);
    schedule(Math.max(nowMs, this.#freeAtMs) + workMs + this.#pauseMs(workMs));
  }

  #pauseMs(workMs: number): number {
    const { rng, cost } = this.#deps;
    return drawPauseMs(cost.pauses, workMs, rng);
  }
}

/** Of the first variant whose calibration measured the serving thread. */
export function threadCostOf({ stages }: PipelineSpec, curves: ServiceCurves): ThreadCost | undefined {
  for (const { id, variants } of stages) {
    for (const variant of variants) {
      for (const cpuCores of variant.cpuCores) {
        const thread = curves.curve(id, variant.id, cpuCores)?.calibrated?.correction.thread;
        if (thread !== undefined) return thread;
      }
    }
  }
  return undefined;
}
