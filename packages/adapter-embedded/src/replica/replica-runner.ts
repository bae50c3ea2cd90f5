/**
 * Server side of a replica. Distinguishes three outcomes: closed (on request), lost (exited, hung or unreadable) and
 * never ready (load failed).
 */
import {
  AppError,
  type ErrorCode,
  elementCount,
  errorCodes,
  type HealthIssue,
  invariant,
  type TensorMap,
} from '@equipoise/core/model';
import type { BatchResult, ItemResult, ModelRunner } from '@equipoise/core/ports';
import type { ReplicaChannel } from './replica-channel.js';
import type { FromReplica, ReplicaError, ReplicaItem } from './replica-protocol.js';

const closePatienceMs = 10_000;

export interface RunnerFacts {
  readonly stage: string;
  readonly variant: string;
  readonly maxBatchSize: number;
  readonly runTimeoutMs: number;
}

type ReplicaResult = Extract<FromReplica, { readonly kind: 'result' }>;

interface Pending<Value> {
  readonly resolve: (value: Value) => void;
  readonly reject: (error: unknown) => void;
}

interface RunningBatch extends Pending<BatchResult> {
  readonly size: number;
  readonly timeout: NodeJS.Timeout;
}

const isErrorCode = (code: string | undefined): code is ErrorCode =>
  code !== undefined && Object.hasOwn(errorCodes, code);

function checkOwned(batch: readonly TensorMap[]): void {
  for (const item of batch) {
    for (const [name, { shape, data }] of Object.entries(item)) {
      if (data.length === elementCount(shape)) continue;
      const found = `${data.length} elements for the shape [${shape.join(', ')}]`;
      invariant(false, `tensor '${name}' has ${found}: was it transferred before?`);
    }
  }
}

/** ModelRunner of a replica. Usable once `ready` has resolved. */
export class ReplicaRunner implements ModelRunner {
  /** Rejects with AppError if loading fails: after the replica's exit, or at once on a time-out. */
  readonly ready: Promise<void>;
  readonly #channel: ReplicaChannel;
  readonly #facts: RunnerFacts;
  readonly #ended: Promise<void>;
  readonly #listeners: ((error: AppError) => void)[] = [];
  #loading: Pending<void> | undefined;
  /** Outputs come from another thread or process. */
  readonly givesTensors = true;
  #loadError: AppError | undefined;
  #running: RunningBatch | undefined;
  #settled: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | undefined;
  #closeError: ReplicaError | undefined;
  #lost: AppError | undefined;

  constructor(channel: ReplicaChannel, facts: RunnerFacts) {
    this.#channel = channel;
    this.#facts = facts;
    this.ready = new Promise((resolve, reject) => {
      this.#loading = { resolve, reject };
    });
    this.#ended = new Promise((resolve) => {
      channel.listen({
        received: (message) => this.#receive(message),
        garbled: (problem) => this.#giveUp(problem),
        ended: (reason) => {
          this.#end(reason);
          resolve();
        },
      });
    });
  }

  get keepsTensors(): boolean {
    return this.#channel.keepsTensors;
  }

  async run(batch: readonly TensorMap[]): Promise<BatchResult> {
    if (this.#lost !== undefined) throw this.#lost;
    if (this.#closed !== undefined)
      throw this.#error('REPLICA_LOST', 'was given a batch after its replica was closed', true);
    invariant(this.#running === undefined, 'a replica runs one batch at a time');
    invariant(batch.length >= 1, 'a batch has at least one item');
    invariant(
      batch.length <= this.#facts.maxBatchSize,
      `a batch of ${batch.length} items exceeds the maximum of stage '${this.#facts.stage}', ${this.#facts.maxBatchSize}`,
    );
    checkOwned(batch);
    const { runTimeoutMs } = this.#facts;
    const running = new Promise<BatchResult>((resolve, reject) => {
      const problem = `a batch ran longer than ${runTimeoutMs / 1000} s`;
      const timeout = setTimeout(() => this.#giveUp(problem, 'hung'), runTimeoutMs);
      this.#running = { size: batch.length, timeout, resolve, reject };
    });
    this.#settled = running.catch(() => undefined);
    this.#channel.send({ kind: 'run', batch });
    return running;
  }

  onLost(listener: (error: AppError) => void): void {
    const lost = this.#lost;
    if (lost === undefined) this.#listeners.push(listener);
    else queueMicrotask(() => listener(lost));
  }

  giveUpLoading(afterMs: number): void {
    if (this.#loading === undefined) return;
    const problem = `has not loaded within ${afterMs / 1000} s`;
    this.#loading.reject(this.#error('MODEL_LOAD_FAILED', problem, false, { launchTimeoutMs: afterMs }));
    this.#loading = undefined;
    this.#closed = this.#ended;
    this.#channel.abandon();
  }

  abandon(): void {
    this.#giveUp('it was given up');
  }

  close(): Promise<void> {
    this.#closed ??= this.#settled.then(() => this.#shut());
    return this.#closed;
  }

  async #shut(): Promise<void> {
    if (this.#lost === undefined) this.#channel.send({ kind: 'close' });
    const timeout = setTimeout(() => {
      this.#closeError ??= { message: `it has not ended within ${closePatienceMs / 1000} s` };
      this.#channel.abandon();
    }, closePatienceMs);
    await this.#ended;
    clearTimeout(timeout);
    if (this.#closeError !== undefined) {
      throw this.#error('STAGE_FAILED', `failed to close: ${this.#closeError.message}`);
    }
  }

  #receive(message: FromReplica): void {
    switch (message.kind) {
      case 'ready':
        this.#loading?.resolve();
        this.#loading = undefined;
        return;
      case 'load-failed':
        this.#loadError = this.#loadFailure(message.error);
        return;
      case 'result':
        this.#answer(message);
        return;
      case 'closed':
        this.#closeError = message.error;
        return;
    }
  }

  #answer({ items, serviceMs, cpuMs }: ReplicaResult): void {
    if (this.#running?.size !== items.length) {
      this.#giveUp(`it answered ${items.length} results to ${this.#running?.size ?? 'no'} items`);
      return;
    }
    this.#takeRunning()?.resolve({ items: items.map((item) => this.#itemResult(item)), serviceMs, cpuMs });
  }

  #takeRunning(): RunningBatch | undefined {
    const running = this.#running;
    this.#running = undefined;
    clearTimeout(running?.timeout);
    return running;
  }

  #end(reason: string): void {
    if (this.#loading !== undefined) {
      this.#loading.reject(this.#loadError ?? this.#error('MODEL_LOAD_FAILED', `could not be loaded: ${reason}`));
      this.#loading = undefined;
      this.#closed ??= Promise.resolve();
    } else if (this.#closed === undefined || this.#running !== undefined) {
      this.#lose(reason);
    }
  }

  #giveUp(problem: string, trouble?: HealthIssue): void {
    if (this.#loading === undefined) this.#lose(problem, trouble);
    else this.#loadError ??= this.#error('MODEL_LOAD_FAILED', `could not be loaded: ${problem}`);
    this.#channel.abandon();
  }

  #lose(reason: string, trouble?: HealthIssue): void {
    if (this.#lost !== undefined) return;
    const { stage, variant } = this.#facts;
    const lost = new AppError('REPLICA_LOST', `Stage '${stage}' (variant '${variant}') lost a replica: ${reason}`, {
      details: { ...this.#details(), ...(trouble && { trouble }) },
      retryable: true,
    });
    this.#lost = lost;
    const running = this.#takeRunning();
    if (running !== undefined) running.reject(lost);
    else if (this.#closed === undefined) for (const listener of this.#listeners) listener(lost);
  }

  #itemResult(item: ReplicaItem): ItemResult {
    switch (item.kind) {
      case 'ok':
        return item;
      case 'invalid-input':
        return { kind: 'failed', error: new AppError('INVALID_INPUT', item.message, { details: this.#details() }) };
      case 'stage-failed':
        return { kind: 'failed', error: this.#error('STAGE_FAILED', `failed: ${item.message}`) };
    }
  }

  #loadFailure({ code, message }: ReplicaError): AppError {
    if (isErrorCode(code)) return new AppError(code, message, { details: this.#details() });
    return this.#error('MODEL_LOAD_FAILED', `could not be loaded: ${message}`);
  }

  #details(): { stage: string; variant: string } {
    return { stage: this.#facts.stage, variant: this.#facts.variant };
  }

  #error(code: ErrorCode, problem: string, retryable = false, details: object = {}): AppError {
    const { stage, variant } = this.#facts;
    return new AppError(code, `Stage '${stage}' (variant '${variant}') ${problem}`, {
      details: { ...this.#details(), ...details },
      retryable,
    });
  }
}
