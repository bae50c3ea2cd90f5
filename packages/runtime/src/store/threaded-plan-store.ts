/** SQLite store in its own thread: slow flushes and locked files delay no request. Calls run in order. */
import { createRequire } from 'node:module';
import {
  AppError,
  type DecisionRecord,
  type DecisionSummary,
  type ErrorCode,
  type ErrorDetails,
  type LaterFacts,
} from '@equipoise/core/model';
import type { DecisionPage, GoodPlan, KeptName, PlanStore } from '@equipoise/core/ports';
import { RpcThread } from '../worker-rpc.js';

export interface StoreCall {
  readonly id: number;
  readonly method: 'open' | keyof PlanStore;
  readonly args: readonly unknown[];
}

export interface StoreFailure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: ErrorDetails;
  readonly retryable: boolean;
}

/** Maximum waiting calls, in case a disk hangs. */
const MOST_WAITING = 256;

export class ThreadedPlanStore implements PlanStore {
  readonly #path: string;
  #thread: RpcThread<StoreFailure> | undefined;
  #closed: Promise<void> | undefined;

  /** Each call opens the file if necessary, and rejects with the errors of `SqlitePlanStore`. */
  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Opens the file. With `replacesDamaged` (only for its owner), renames a damaged file, begins a new one and returns
   * the path of the renamed file.
   */
  open(replacesDamaged: boolean): Promise<string | undefined> {
    return this.#ask('open', replacesDamaged);
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

  decisionSummaries(pipelineName: string, page: DecisionPage): Promise<readonly DecisionSummary[]> {
    return this.#ask('decisionSummaries', pipelineName, page);
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

  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #end(): Promise<void> {
    const thread = this.#thread;
    if (thread === undefined || thread.isOver) return;
    try {
      await this.#call<void>(thread, 'close');
    } finally {
      await thread.terminate();
    }
  }

  async #ask<Answer>(method: StoreCall['method'], ...args: readonly unknown[]): Promise<Answer> {
    if (this.#closed !== undefined) throw new AppError('STORE_FAILED', `The state file ${this.#path} is closed.`);
    if (this.#thread === undefined || this.#thread.isOver) this.#thread = this.#newThread();
    if (this.#thread.waitingRequests >= MOST_WAITING) {
      const message = `The state file ${this.#path} is too slow: ${MOST_WAITING} calls wait for it already.`;
      throw new AppError('STORE_FAILED', message, { retryable: true });
    }
    return this.#call(this.#thread, method, args);
  }

  #call<Answer>(
    thread: RpcThread<StoreFailure>,
    method: StoreCall['method'],
    args: readonly unknown[] = [],
  ): Promise<Answer> {
    const { id, answer } = thread.expectAnswer<Answer>(this);
    thread.postMessage({ id, method, args } satisfies StoreCall);
    return answer;
  }

  #newThread(): RpcThread<StoreFailure> {
    const because = (why: string) => new AppError('STORE_FAILED', `The thread of the state file ${this.#path} ${why}.`);
    return new RpcThread<StoreFailure>({
      entry: createRequire(import.meta.url).resolve('@equipoise/runtime/store-thread'),
      workerData: this.#path,
      heapMib: { young: 12 },
      errorOf: (failure) => new AppError(failure.code, failure.message, failure),
      endedError: (cause) => because(cause === undefined ? 'has ended' : `failed: ${cause.message}`),
    });
  }
}
