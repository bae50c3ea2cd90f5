/** The planning thread as its callers see it: questions in, promises of answers out, one at a time in order. */
import { createRequire } from 'node:module';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { KeptController, Observation } from '@equipoise/core';
import type { PlanningAnswer, PlanningSetup, PlanningTask, ReloadedSetup } from './planning-engine.js';
import type { PlanningThreadData } from './planning-thread.js';

interface Waiting {
  readonly resolve: (answer: never) => void;
  readonly reject: (error: Error) => void;
  readonly limit: NodeJS.Timeout;
}

interface Reply {
  readonly id: number;
  readonly answer?: unknown;
  readonly error?: string;
}

/** Longest time for an answer. Plans take tenths of a second, the largest some seconds: what takes longer is stuck. */
const ANSWER_LIMIT_MS = 120_000;

/**
 * Plans in a thread of its own. A crash of the thread, and an answer that does not come in time, reject what waits; the next question starts
 * a new thread.
 */
export class Planner {
  #setup: PlanningSetup;
  readonly #answerLimitMs: number;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  /** To the thread, for what it is to see while it plans. */
  #observations: MessagePort | undefined;
  #nextId = 0;
  /** What the last thread had learned, for one that takes its place. */
  #kept: KeptController | undefined;

  constructor(setup: PlanningSetup, answerLimitMs = ANSWER_LIMIT_MS) {
    this.#setup = setup;
    this.#answerLimitMs = answerLimitMs;
  }

  ask<Task extends PlanningTask>(task: Task): Promise<PlanningAnswer<Task>> {
    const isNew = this.#worker === undefined;
    const worker = this.#thread();
    // What cannot be resumed costs what was learned; the question that was asked tells whether the thread is well.
    if (isNew && this.#kept !== undefined)
      void this.#post(worker, { kind: 'resume', kept: this.#kept }).catch(() => {});
    return this.#post(worker, task);
  }

  /** Shows the thread an observation while it decides on an earlier one; a burst in it is answered first. */
  show(observation: Observation): void {
    this.#observations?.postMessage(observation);
  }

  /** What is worth keeping of what was learned, or news of it, in case that the thread ends. */
  remember(kept: KeptController): void {
    this.#kept = { ...this.#kept, ...kept };
  }

  /** Goes on with what another has learned, or news of it. */
  teach(kept: KeptController): void {
    this.remember(kept);
    if (this.#worker !== undefined && this.#kept !== undefined)
      void this.#post(this.#worker, { kind: 'resume', kept: this.#kept }).catch(() => {});
  }

  /** Plans for another description from now on; rejects where that cannot be planned for, and then nothing has changed. */
  async reload({ spec, hostCores }: ReloadedSetup): Promise<void> {
    const before = this.#setup;
    this.#setup = { ...before, spec, hostCores };
    try {
      await this.ask({ kind: 'reload', spec, hostCores });
    } catch (error) {
      this.#setup = before;
      throw error;
    }
  }

  #post<Task extends PlanningTask>(worker: Worker, task: Task): Promise<PlanningAnswer<Task>> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      const limit = setTimeout(() => this.#giveUp(worker), this.#answerLimitMs);
      limit.unref();
      this.#waiting.set(id, { resolve: resolve as Waiting['resolve'], reject, limit });
      worker.ref();
      worker.postMessage({ id, task });
    });
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #thread(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const entry = createRequire(import.meta.url).resolve('@equipoise/runtime/planning-thread');
    const { port1, port2 } = new MessageChannel();
    const workerData: PlanningThreadData = { setup: this.#setup, observations: port2 };
    const worker = new Worker(entry, { workerData, transferList: [port2], execArgv: [] });
    worker.on('message', (reply: Reply) => this.#settle(reply));
    worker.on('error', (error) => this.#lose(worker, error));
    worker.on('exit', () => this.#lose(worker, new Error('the planning thread has ended')));
    this.#worker = worker;
    // Neither waited for nor answered.
    port1.unref();
    this.#observations = port1;
    return worker;
  }

  #settle({ id, answer, error }: Reply): void {
    const waiting = this.#waiting.get(id);
    // Behind the time limit an answer comes to a question that was rejected: it may have waited while the process stood still.
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    clearTimeout(waiting.limit);
    // An idle planner does not keep the process alive.
    if (this.#waiting.size === 0) this.#worker?.unref();
    if (error === undefined) waiting.resolve(answer as never);
    else waiting.reject(new Error(error));
  }

  #giveUp(worker: Worker): void {
    this.#lose(worker, new Error(`the planning thread gave no answer within ${this.#answerLimitMs / 1000} s`));
    void worker.terminate();
  }

  #lose(worker: Worker, error: Error): void {
    // A thread that failed also ends: by then another may have taken its place.
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    this.#observations?.close();
    this.#observations = undefined;
    for (const { reject, limit } of this.#waiting.values()) {
      clearTimeout(limit);
      reject(error);
    }
    this.#waiting.clear();
  }
}
