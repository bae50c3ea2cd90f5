/**
 * The near end of a replica thread. It tells three ends apart: closed (asked for), lost (the thread ended by itself) and
 * never ready (the load failed). A thread is never terminated from here; a stage that hangs keeps its thread.
 */
import type { Worker } from 'node:worker_threads';
import {
  AppError,
  type BatchResult,
  type ErrorCode,
  elementCount,
  errorCodes,
  type ItemResult,
  invariant,
  type ModelRunner,
  type TensorMap,
} from '@equipoise/core';
import { postTensors } from './movable-tensors.js';
import type { FromThread, ThreadError, ThreadItem, ToThread } from './thread-protocol.js';

/** Names of a replica for messages, and the largest batch it may be given. */
export interface RunnerFacts {
  readonly stage: string;
  readonly variant: string;
  readonly maxBatchSize: number;
}

interface Pending<Value> {
  readonly resolve: (value: Value) => void;
  readonly reject: (error: unknown) => void;
}

const isErrorCode = (code: string | undefined): code is ErrorCode =>
  code !== undefined && Object.hasOwn(errorCodes, code);

function checkOwned(batch: readonly TensorMap[]): void {
  for (const [name, { shape, data }] of batch.flatMap((item) => Object.entries(item))) {
    invariant(
      data.length === elementCount(shape),
      `tensor '${name}' has ${data.length} elements for the shape [${shape.join(', ')}]: was it handed on before?`,
    );
  }
}

/** A ModelRunner over a started thread; use it when `ready` has resolved. */
export class ThreadRunner implements ModelRunner {
  /** Resolves when the variant is loaded; rejects with AppError once the thread has ended when it cannot be. */
  readonly ready: Promise<void>;
  readonly #worker: Worker;
  readonly #facts: RunnerFacts;
  readonly #exited: Promise<void>;
  readonly #listeners: ((error: AppError) => void)[] = [];
  #loading: Pending<void> | undefined;
  #loadError: AppError | undefined;
  #running: Pending<BatchResult> | undefined;
  #settled: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | undefined;
  #closeError: ThreadError | undefined;
  #thrown: unknown;
  #lost: AppError | undefined;

  constructor(worker: Worker, facts: RunnerFacts) {
    this.#worker = worker;
    this.#facts = facts;
    this.ready = new Promise((resolve, reject) => {
      this.#loading = { resolve, reject };
    });
    worker.on('message', (message: FromThread) => this.#receive(message));
    worker.on('error', (error) => {
      this.#thrown = error;
    });
    worker.on('messageerror', (error) => {
      this.#lose(`its answer could not be read: ${error.message}`);
      this.#say({ kind: 'close' });
    });
    this.#exited = new Promise((resolve) => {
      worker.once('exit', (exitCode) => {
        this.#end(exitCode);
        resolve();
      });
    });
  }

  async run(batch: readonly TensorMap[]): Promise<BatchResult> {
    if (this.#lost !== undefined) throw this.#lost;
    if (this.#closed !== undefined)
      throw this.#error('REPLICA_LOST', 'was given a batch after its replica was closed', true);
    invariant(this.#running === undefined, 'a replica runs one batch at a time');
    invariant(batch.length >= 1, 'a batch has at least one item');
    invariant(
      batch.length <= this.#facts.maxBatchSize,
      `a batch of ${batch.length} items is larger than the largest of stage '${this.#facts.stage}', ${this.#facts.maxBatchSize}`,
    );
    checkOwned(batch);
    postTensors(this.#worker, batch, (moved): ToThread => ({ kind: 'run', batch: moved }));
    const running = new Promise<BatchResult>((resolve, reject) => {
      this.#running = { resolve, reject };
    });
    this.#settled = running.catch(() => undefined);
    return running;
  }

  onLost(listener: (error: AppError) => void): void {
    const lost = this.#lost;
    if (lost === undefined) this.#listeners.push(listener);
    else queueMicrotask(() => listener(lost));
  }

  /** Rejects `ready` of a load that still lasts; its thread no longer keeps the process alive and ends once it has loaded. */
  giveUpLoading(afterMs: number): void {
    if (this.#loading === undefined) return;
    this.#loading.reject(this.#error('MODEL_LOAD_FAILED', `has not loaded within ${afterMs / 1000} s`));
    this.#loading = undefined;
    this.#worker.unref();
    this.#closed = this.#exited;
    this.#say({ kind: 'close' });
  }

  close(): Promise<void> {
    this.#closed ??= this.#settled.then(() => this.#shut());
    return this.#closed;
  }

  async #shut(): Promise<void> {
    if (this.#lost === undefined) this.#say({ kind: 'close' });
    await this.#exited;
    if (this.#closeError !== undefined) {
      throw this.#error('STAGE_FAILED', `failed to close: ${this.#closeError.message}`);
    }
  }

  #say(message: ToThread): void {
    this.#worker.postMessage(message);
  }

  #receive(message: FromThread): void {
    switch (message.kind) {
      case 'ready':
        this.#loading?.resolve();
        this.#loading = undefined;
        return;
      case 'load-failed':
        this.#loadError = this.#loadFailure(message.error);
        return;
      case 'result': {
        const running = this.#running;
        this.#running = undefined;
        running?.resolve({ items: message.items.map((item) => this.#itemResult(item)), serviceMs: message.serviceMs });
        return;
      }
      case 'closed':
        this.#closeError = message.error;
        return;
    }
  }

  #end(exitCode: number): void {
    const thrown = this.#thrown instanceof Error ? this.#thrown.message : undefined;
    const reason = thrown ?? `its thread ended with exit code ${exitCode}`;
    if (this.#loading !== undefined) {
      this.#loading.reject(this.#loadError ?? this.#error('MODEL_LOAD_FAILED', `could not be loaded: ${reason}`));
      this.#loading = undefined;
    } else if (this.#closed === undefined || this.#running !== undefined) {
      this.#lose(reason);
    }
  }

  #lose(reason: string): void {
    if (this.#lost !== undefined) return;
    const lost = this.#error('REPLICA_LOST', `lost a replica: ${reason}`, true);
    this.#lost = lost;
    const running = this.#running;
    this.#running = undefined;
    if (running === undefined) for (const listener of this.#listeners) listener(lost);
    else running.reject(lost);
  }

  #itemResult(item: ThreadItem): ItemResult {
    switch (item.kind) {
      case 'ok':
        return item;
      case 'invalid-input':
        return { kind: 'failed', error: new AppError('INVALID_INPUT', item.message, { details: this.#details() }) };
      case 'stage-failed':
        return { kind: 'failed', error: this.#error('STAGE_FAILED', `failed: ${item.message}`) };
    }
  }

  #loadFailure({ code, message }: ThreadError): AppError {
    if (isErrorCode(code)) return new AppError(code, message, { details: this.#details() });
    return this.#error('MODEL_LOAD_FAILED', `could not be loaded: ${message}`);
  }

  #details(): { stage: string; variant: string } {
    return { stage: this.#facts.stage, variant: this.#facts.variant };
  }

  #error(code: ErrorCode, problem: string, retryable = false): AppError {
    const { stage, variant } = this.#facts;
    return new AppError(code, `Stage '${stage}' (variant '${variant}') ${problem}`, {
      details: this.#details(),
      retryable,
    });
  }
}
