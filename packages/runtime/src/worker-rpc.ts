/**
 * Requests to a worker thread. A client finds its thread with the first request, and another one when that has ended.
 * While a request waits, the process stays alive and the silence of the thread is limited.
 */
import { Worker } from 'node:worker_threads';

/** The answer to request `id`, or why there is none. */
export interface RpcReply<Failure> {
  readonly id: number;
  readonly answer?: unknown;
  readonly failure?: Failure;
}

export interface RpcThreadOptions<Failure> {
  /** Path of the module that runs in the thread. */
  readonly entry: string;
  readonly workerData?: unknown;
  /** Longest silence (ms) while a request waits; default unlimited. */
  readonly answerLimitMs?: number | undefined;
  /** The error of a failed request. */
  readonly errorOf: (failure: Failure) => Error;
  /** The error of waiting requests when the thread ends; `cause` if it failed. */
  readonly endedError: (cause?: Error) => Error;
}

interface Waiting {
  readonly client: object;
  readonly resolve: (answer: never) => void;
  readonly reject: (error: Error) => void;
}

/** One thread; several clients may share it. */
export class RpcThread<Failure = never> {
  readonly waiting = new Map<number, Waiting>();
  isOver = false;
  nextId = 0;
  readonly #worker: Worker;
  readonly #options: RpcThreadOptions<Failure>;
  #silence: NodeJS.Timeout | undefined;

  constructor(options: RpcThreadOptions<Failure>) {
    this.#options = options;
    this.#worker = new Worker(options.entry, { workerData: options.workerData, execArgv: [] });
    // An idle thread does not keep the process alive.
    this.#worker.unref();
    this.#worker.on('message', (reply: RpcReply<Failure>) => this.#settle(reply));
    this.#worker.on('error', (error) => this.#end(options.endedError(error)));
    this.#worker.on('exit', () => this.#end(options.endedError()));
  }

  /** Requests carry an `id`. */
  post(message: object): void {
    if (!this.isOver) this.#worker.postMessage(message);
  }

  /** Limits the silence from now on, while something waits. */
  watchSilence(): void {
    clearTimeout(this.#silence);
    if (this.waiting.size === 0 || this.isOver) {
      this.#worker.unref();
      return;
    }
    this.#worker.ref();
    const { answerLimitMs } = this.#options;
    if (answerLimitMs === undefined) return;
    this.#silence = setTimeout(() => {
      this.#end(new Error(`the planner worker gave no answer within ${answerLimitMs / 1000} s`));
      void this.#worker.terminate();
    }, answerLimitMs);
    this.#silence.unref();
  }

  /** Rejects the requests of a client and ignores their answers; returns their ids. */
  abandon(client: object, error = this.#options.endedError()): readonly number[] {
    const ids: number[] = [];
    for (const [id, waiting] of this.waiting) {
      if (waiting.client !== client) continue;
      this.waiting.delete(id);
      waiting.reject(error);
      ids.push(id);
    }
    this.watchSilence();
    return ids;
  }

  async terminate(): Promise<void> {
    this.#end(this.#options.endedError());
    await this.#worker.terminate();
  }

  #settle({ id, answer, failure }: RpcReply<Failure>): void {
    const waiting = this.waiting.get(id);
    // An abandoned request may still be answered.
    if (waiting === undefined) return;
    this.waiting.delete(id);
    this.watchSilence();
    if (failure === undefined) waiting.resolve(answer as never);
    else waiting.reject(this.#options.errorOf(failure));
  }

  #end(error: Error): void {
    if (this.isOver) return;
    this.isOver = true;
    clearTimeout(this.#silence);
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}

/** The thread of a client, and the fields that address the client in each message. */
export interface RpcConnection {
  readonly thread: RpcThread<never>;
  readonly address: object;
}

export abstract class RpcClient {
  #connection: RpcConnection | undefined;

  /** Undefined before the first request and after the thread has ended. */
  protected get connection(): RpcConnection | undefined {
    return this.#connection?.thread.isOver === false ? this.#connection : undefined;
  }

  /** Finds a thread, and sends it the setup. */
  protected abstract connect(): RpcConnection;

  /** The next request finds another thread. */
  protected disconnect(): void {
    this.#connection = undefined;
  }

  /** Rejects with the failure, and when the thread ends. Answers come in request order. */
  request<Answer>(message: object): Promise<Answer> {
    const connection = this.connection ?? this.connect();
    this.#connection = connection;
    const { thread, address } = connection;
    return new Promise((resolve, reject) => {
      const id = thread.nextId++;
      thread.waiting.set(id, { client: this, resolve: resolve as Waiting['resolve'], reject });
      // With others waiting, the silence is being measured already.
      if (thread.waiting.size === 1) thread.watchSilence();
      thread.post({ ...message, ...address, id });
    });
  }

  /** Sends a message without an answer; nothing without a thread. */
  protected notify(message: object): void {
    this.connection?.thread.post({ ...message, ...this.connection.address });
  }
}
