/**
 * Requests to a worker thread; ids match answers to requests. While a request waits, the process stays alive, and
 * `answerLimitMs` limits the silence of the thread.
 */
import { type ResourceLimits, Worker } from 'node:worker_threads';

/** The answer to request `id`, or the reason why there is none. */
export interface RpcReply<Failure> {
  readonly id: number;
  readonly answer?: unknown;
  readonly failure?: Failure;
}

export interface RpcThreadOptions<Failure> {
  readonly entry: string;
  readonly workerData?: unknown;
  readonly resourceLimits?: ResourceLimits;
  /** Maximum silence (ms) while a request waits; default unlimited. */
  readonly answerLimitMs?: number | undefined;
  readonly errorOf: (failure: Failure) => Error;
  /** Error of waiting requests when the thread ends; `cause` is set if the thread failed. */
  readonly endedError: (cause?: Error) => Error;
}

interface Waiting {
  readonly client: object;
  readonly resolve: (answer: never) => void;
  readonly reject: (error: Error) => void;
}

/** One thread; several clients may share it. */
export class RpcThread<Failure> extends Worker {
  readonly #waiting = new Map<number, Waiting>();
  readonly #options: RpcThreadOptions<Failure>;
  #isOver = false;
  #nextId = 0;
  #silence: NodeJS.Timeout | undefined;

  constructor(options: RpcThreadOptions<Failure>) {
    const { entry, workerData, resourceLimits = {} } = options;
    super(entry, { workerData, resourceLimits, execArgv: [] });
    this.#options = options;
    // An idle thread does not keep the process alive.
    this.unref();
    this.on('message', (reply: RpcReply<Failure>) => this.#settle(reply));
    this.on('error', (error) => this.#end(options.endedError(error)));
    this.on('exit', () => this.#end(options.endedError()));
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get waitingRequests(): number {
    return this.#waiting.size;
  }

  /**
   * Returns an id for a request, and the answer to it. The answer rejects with the request's failure, or when the
   * thread ends.
   */
  expectAnswer<Answer>(client: object): { readonly id: number; readonly answer: Promise<Answer> } {
    const id = this.#nextId++;
    const answer = new Promise<Answer>((resolve, reject) => {
      this.#waiting.set(id, { client, resolve, reject });
    });
    // If other requests wait, the silence is already measured.
    if (this.#waiting.size === 1) this.#watchSilence();
    return { id, answer };
  }

  /** Limits the silence from now on, while a request waits. */
  #watchSilence(): void {
    clearTimeout(this.#silence);
    if (this.#waiting.size === 0 || this.#isOver) {
      this.unref();
      return;
    }
    this.ref();
    const { answerLimitMs } = this.#options;
    if (answerLimitMs === undefined) return;
    this.#silence = setTimeout(() => {
      this.#end(new Error(`the planner worker gave no answer within ${answerLimitMs / 1000} s`));
      void super.terminate();
    }, answerLimitMs);
    this.#silence.unref();
  }

  /** Rejects the requests of a client and ignores their answers; returns their ids. */
  abandon(client: object, error = this.#options.endedError()): readonly number[] {
    const ids: number[] = [];
    for (const [id, waiting] of this.#waiting) {
      if (waiting.client !== client) continue;
      this.#waiting.delete(id);
      waiting.reject(error);
      ids.push(id);
    }
    this.#watchSilence();
    return ids;
  }

  override terminate(): Promise<number> {
    this.#end(this.#options.endedError());
    return super.terminate();
  }

  #settle({ id, answer, failure }: RpcReply<Failure>): void {
    const waiting = this.#waiting.get(id);
    // The thread may still answer an abandoned request.
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    this.#watchSilence();
    if (failure === undefined) waiting.resolve(answer as never);
    else waiting.reject(this.#options.errorOf(failure));
  }

  #end(error: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#silence);
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
