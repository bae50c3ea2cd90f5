/** The planning thread as its callers see it: questions in, promises of answers out, one at a time in order. */
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { invariant } from '@equipoise/core';
import type { PlanningAnswer, PlanningSetup, PlanningTask } from './planning-engine.js';

interface Waiting {
  readonly resolve: (answer: never) => void;
  readonly reject: (error: Error) => void;
}

interface Reply {
  readonly id: number;
  readonly answer?: unknown;
  readonly error?: string;
}

/** Plans in a thread of its own. A crash of the thread rejects what waits; the next question starts a new thread. */
export class Planner {
  readonly #setup: PlanningSetup;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #nextId = 0;

  constructor(setup: PlanningSetup) {
    this.#setup = setup;
  }

  ask<Task extends PlanningTask>(task: Task): Promise<PlanningAnswer<Task>> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      const worker = this.#thread();
      this.#waiting.set(id, { resolve: resolve as Waiting['resolve'], reject });
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
    const worker = new Worker(entry, { workerData: this.#setup, execArgv: [] });
    worker.on('message', (reply: Reply) => this.#settle(reply));
    worker.on('error', (error) => this.#lose(worker, error));
    worker.on('exit', () => this.#lose(worker, new Error('the planning thread has ended')));
    this.#worker = worker;
    return worker;
  }

  #settle({ id, answer, error }: Reply): void {
    const waiting = this.#waiting.get(id);
    invariant(waiting !== undefined, 'an answer nobody asked for');
    this.#waiting.delete(id);
    // An idle planner does not keep the process alive.
    if (this.#waiting.size === 0) this.#worker?.unref();
    if (error === undefined) waiting.resolve(answer as never);
    else waiting.reject(new Error(error));
  }

  #lose(worker: Worker, error: Error): void {
    // A thread that failed also ends: by then another may have taken its place.
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
