/** SQLite store in its own thread: slow flushes and locked files delay no request. Calls run in order. */
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import {
  AppError,
  type DecisionRecord,
  type ErrorCode,
  type ErrorDetails,
  type LaterFacts,
} from '@equipoise/core/model';
import type { DecisionPage, GoodPlan, KeptName, PlanStore } from '@equipoise/core/ports';

/** Call for the thread. */
export interface StoreCall {
  readonly id: number;
  readonly method: 'open' | keyof PlanStore;
  readonly args: readonly unknown[];
}

/** Result, or the AppError. */
export interface StoreReply {
  readonly id: number;
  readonly answer?: unknown;
  readonly failure?: {
    readonly code: ErrorCode;
    readonly message: string;
    readonly details: ErrorDetails;
    readonly retryable: boolean;
  };
}

interface Waiting {
  readonly resolve: (answer: never) => void;
  readonly reject: (error: AppError) => void;
}

/** Most waiting calls, for a disk that hangs. */
const MOST_WAITING = 256;

export class ThreadedPlanStore implements PlanStore {
  readonly #path: string;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #nextId = 0;
  #closed: Promise<void> | undefined;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Opens the file; rejects like `SqlitePlanStore`. */
  static async open(path: string): Promise<ThreadedPlanStore> {
    const store = new ThreadedPlanStore(path);
    try {
      await store.#ask<void>('open');
    } catch (error) {
      await store.#worker?.terminate();
      throw error;
    }
    return store;
  }

  saveGoodPlan(pipelineName: string, good: GoodPlan): Promise<void> {
    return this.#ask('saveGoodPlan', pipelineName, good);
  }

  goodPlans(pipelineName: string, limit: number): Promise<readonly GoodPlan[]> {
    return this.#ask('goodPlans', pipelineName, limit);
  }

  appendDecision(pipelineName: string, record: DecisionRecord): Promise<number> {
    return this.#ask('appendDecision', pipelineName, record);
  }

  amendDecision(pipelineName: string, id: number, later: LaterFacts): Promise<void> {
    return this.#ask('amendDecision', pipelineName, id, later);
  }

  decisions(pipelineName: string, page: DecisionPage): Promise<readonly DecisionRecord[]> {
    return this.#ask('decisions', pipelineName, page);
  }

  decision(pipelineName: string, id: number): Promise<DecisionRecord | undefined> {
    return this.#ask('decision', pipelineName, id);
  }

  saveSetup(digest: string, setup: object, atEpochMs: number): Promise<void> {
    return this.#ask('saveSetup', digest, setup, atEpochMs);
  }

  setup(digest: string): Promise<object | undefined> {
    return this.#ask('setup', digest);
  }

  keep(pipelineName: string, name: KeptName, value: object): Promise<void> {
    return this.#ask('keep', pipelineName, name, value);
  }

  kept(pipelineName: string, name: KeptName): Promise<object | undefined> {
    return this.#ask('kept', pipelineName, name);
  }

  pipelineNames(): Promise<readonly string[]> {
    return this.#ask('pipelineNames');
  }

  /** Waits for earlier calls. */
  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #end(): Promise<void> {
    const ended = this.#worker === undefined ? undefined : this.#post<void>(this.#worker, 'close', []);
    try {
      await ended;
    } finally {
      await this.#worker?.terminate();
    }
  }

  async #ask<Answer>(method: StoreCall['method'], ...args: readonly unknown[]): Promise<Answer> {
    if (this.#closed !== undefined) throw new AppError('STORE_FAILED', `The state file ${this.#path} is closed.`);
    if (this.#waiting.size >= MOST_WAITING) {
      const message = `The state file ${this.#path} is too slow: ${MOST_WAITING} calls wait for it already.`;
      throw new AppError('STORE_FAILED', message, { retryable: true });
    }
    return this.#post(this.#thread(), method, args);
  }

  #post<Answer>(worker: Worker, method: StoreCall['method'], args: readonly unknown[]): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#waiting.set(id, { resolve: resolve as Waiting['resolve'], reject });
      worker.ref();
      worker.postMessage({ id, method, args } satisfies StoreCall);
    });
  }

  #thread(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const entry = createRequire(import.meta.url).resolve('@equipoise/runtime/store-thread');
    const worker = new Worker(entry, { workerData: this.#path, execArgv: [] });
    worker.on('message', (reply: StoreReply) => this.#settle(worker, reply));
    worker.on('error', (error) => this.#lose(worker, `failed: ${error.message}`));
    worker.on('exit', () => this.#lose(worker, 'has ended'));
    this.#worker = worker;
    return worker;
  }

  #settle(worker: Worker, { id, answer, failure }: StoreReply): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    // An idle store does not keep the process alive.
    if (this.#waiting.size === 0) worker.unref();
    if (failure === undefined) waiting?.resolve(answer as never);
    else waiting?.reject(new AppError(failure.code, failure.message, failure));
  }

  #lose(worker: Worker, why: string): void {
    // A failed thread also ends; by then another may have replaced it.
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    const error = new AppError('STORE_FAILED', `The thread of the state file ${this.#path} ${why}.`);
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
