/**
 * Threads that plan, a few for all pipelines of a process: each pipeline has a seat in one of them, where what was planned for it is
 * remembered. A new one gets a thread of its own while there are fewer than there may be, else a seat where the fewest are. A thread ends
 * with its last seat; one that crashes, or gives no answer for too long, takes its seats with it.
 */
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import type { Observation } from '@equipoise/core/model';
import type { DeskMessage, DeskReply } from './planning-desk.js';
import type { PlanningAnswer, PlanningSetup, PlanningTask } from './planning-engine.js';

/** Longest time without an answer while one is waited for. Plans take tenths of a second, the largest some seconds: what takes longer is stuck. */
const ANSWER_LIMIT_MS = 120_000;
/** More would only take memory: a thread has the time for many pipelines. */
const MOST_THREADS = 4;

/** How many threads plan, and how long they may be silent. */
export interface PlanningThreadLimits {
  /** One when left out. */
  readonly threads?: number;
  readonly answerLimitMs?: number;
}

/** Threads for a host with so many processors: one stays free for everything else. */
export const planningThreadsFor = (processors: number): number => Math.max(1, Math.min(MOST_THREADS, processors - 1));

export class PlanningThreads {
  readonly #threads: number;
  readonly #answerLimitMs: number;
  #running: PlanningThread[] = [];

  constructor({ threads = 1, answerLimitMs = ANSWER_LIMIT_MS }: PlanningThreadLimits = {}) {
    this.#threads = threads;
    this.#answerLimitMs = answerLimitMs;
  }

  /** A seat for one more pipeline; its thread is started if need be. */
  seat(setup: PlanningSetup): PlanningSeat {
    this.#running = this.#running.filter(({ isOver }) => !isOver);
    if (this.#running.length < this.#threads) this.#running.push(new PlanningThread(this.#answerLimitMs));
    const thread = this.#running.reduce((least, each) => (each.seats < least.seats ? each : least));
    return thread.open(setup);
  }
}

/** The place of one pipeline in a thread. */
export class PlanningSeat {
  readonly #thread: PlanningThread;
  readonly #number: number;

  constructor(thread: PlanningThread, number: number) {
    this.#thread = thread;
    this.#number = number;
  }

  /** Whether its thread has ended; it answers nothing any more. */
  get isOver(): boolean {
    return this.#thread.isOver;
  }

  /** Answers come in the order of the questions; rejects with what went wrong in the thread, and when the seat or its thread ends. */
  ask<Task extends PlanningTask>(task: Task): Promise<PlanningAnswer<Task>> {
    return this.#thread.ask(this.#number, task);
  }

  show(observation: Observation): void {
    this.#thread.tell({ kind: 'show', seat: this.#number, observation });
  }

  /** Gives it up, with what it was asked. */
  close(): Promise<void> {
    return this.#thread.close(this.#number);
  }
}

interface Waiting {
  readonly seat: number;
  readonly resolve: (answer: never) => void;
  readonly reject: (error: Error) => void;
}

/** One thread, from its start to its end. */
class PlanningThread {
  isOver = false;
  readonly #worker: Worker;
  readonly #answerLimitMs: number;
  readonly #seats = new Set<number>();
  readonly #waiting = new Map<number, Waiting>();
  #silence: NodeJS.Timeout | undefined;
  #nextSeat = 0;
  #nextId = 0;

  constructor(answerLimitMs: number) {
    this.#answerLimitMs = answerLimitMs;
    const entry = createRequire(import.meta.url).resolve('@equipoise/runtime/planning-thread');
    this.#worker = new Worker(entry, { execArgv: [] });
    // An idle thread does not keep the process alive.
    this.#worker.unref();
    this.#worker.on('message', (reply: DeskReply) => this.#settle(reply));
    this.#worker.on('error', (error) => this.#end(error));
    this.#worker.on('exit', () => this.#end(ended()));
  }

  get seats(): number {
    return this.#seats.size;
  }

  open(setup: PlanningSetup): PlanningSeat {
    const seat = this.#nextSeat++;
    this.#seats.add(seat);
    this.tell({ kind: 'open', seat, setup });
    return new PlanningSeat(this, seat);
  }

  async close(seat: number): Promise<void> {
    if (!this.#seats.delete(seat)) return;
    for (const [id, waiting] of this.#waiting) {
      if (waiting.seat !== seat) continue;
      this.#waiting.delete(id);
      waiting.reject(ended());
    }
    this.#listen();
    if (this.#seats.size > 0) return this.tell({ kind: 'close', seat });
    this.#end(ended());
    await this.#worker.terminate();
  }

  ask<Task extends PlanningTask>(seat: number, task: Task): Promise<PlanningAnswer<Task>> {
    return new Promise((resolve, reject) => {
      if (!this.#seats.has(seat)) return reject(ended());
      const id = this.#nextId++;
      this.#waiting.set(id, { seat, resolve: resolve as Waiting['resolve'], reject });
      // Whoever else waits has been heard of when it began to.
      if (this.#waiting.size === 1) this.#listen();
      this.tell({ kind: 'ask', seat, id, task });
    });
  }

  tell(message: DeskMessage): void {
    if (!this.isOver) this.#worker.postMessage(message);
  }

  #settle({ id, answer, error }: DeskReply): void {
    const waiting = this.#waiting.get(id);
    // Behind the time limit, and when a seat has been given up, an answer comes to a question that was rejected.
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    this.#listen();
    if (error === undefined) waiting.resolve(answer as never);
    else waiting.reject(new Error(error));
  }

  /** While something waits, silence has a limit from now on, and the process stays alive for the answer. */
  #listen(): void {
    clearTimeout(this.#silence);
    if (this.#waiting.size === 0 || this.isOver) {
      this.#worker.unref();
      return;
    }
    this.#worker.ref();
    this.#silence = setTimeout(() => this.#giveUp(), this.#answerLimitMs);
    this.#silence.unref();
  }

  #giveUp(): void {
    this.#end(new Error(`the planning thread gave no answer within ${this.#answerLimitMs / 1000} s`));
    void this.#worker.terminate();
  }

  #end(error: Error): void {
    if (this.isOver) return;
    this.isOver = true;
    clearTimeout(this.#silence);
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    this.#seats.clear();
  }
}

const ended = (): Error => new Error('the planning thread has ended');
