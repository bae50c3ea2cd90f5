/**
 * Requests to a worker thread; ids match answers to requests. While a request waits, the process stays alive, and
 * `answerLimitMs` limits the silence of the thread. The silence counts in CPU time of the process, because a thread that
 * gets no processor is not stuck. A thread that works long reports progress, which ends the silence.
 */
import { Worker } from 'node:worker_threads';

/** The answer to request `id`, or the reason why there is none. */
export interface RpcReply<Failure> {
  readonly id: number;
  readonly answer?: unknown;
  readonly failure?: Failure;
}

/** Message of a thread that is at work. */
export const PROGRESS = 'progress';

export interface RpcThreadOptions<Failure> {
  readonly entry: string;
  readonly workerData?: unknown;
  /** Limits (MiB) of the JavaScript heap. Node 24 would give each thread a young generation of up to 192 MiB. */
  readonly heapMib: { readonly young: number; readonly old?: number };
  /** Maximum CPU time (ms) of the process in silence while a request waits; default unlimited. */
  readonly answerLimitMs?: number | undefined;
  readonly cpuTimeMs?: () => number;
  readonly errorOf: (failure: Failure) => Error;
  /** Error of waiting requests when the thread ends; `cause` is set if the thread failed. */
  readonly endedError: (cause?: Error) => Error;
}

interface Waiting {
  readonly client: object;
  readonly resolve: (answer: never) => void;
  readonly reject: (error: Error) => void;
}

/** A thread that waits for ever uses no CPU, so the time limits its silence, too: this multiple of the limit. */
const MOST_TIME_FACTOR = 20;
const LEAST_TIME_MS = 60_000;
const LOOK_EVERY_MS = 1000;

function cpuTimeOfProcessMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** One thread; several clients may share it. */
export class RpcThread<Failure> extends Worker {
  readonly #waiting = new Map<number, Waiting>();
  readonly #options: RpcThreadOptions<Failure>;
  #isOver = false;
  #nextId = 0;
  #silence: NodeJS.Timeout | undefined;

  constructor(options: RpcThreadOptions<Failure>) {
    const { entry, workerData, heapMib } = options;
    const { young: maxYoungGenerationSizeMb, old: maxOldGenerationSizeMb } = heapMib;
    const resourceLimits = { maxYoungGenerationSizeMb, ...(maxOldGenerationSizeMb && { maxOldGenerationSizeMb }) };
    super(entry, { workerData, resourceLimits, execArgv: [] });
    this.#options = options;
    // An idle thread does not keep the process alive.
    this.unref();
    this.on('message', (reply: RpcReply<Failure> | typeof PROGRESS) => {
      if (reply === PROGRESS) this.#watchSilence();
      else this.#settle(reply);
    });
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
    clearInterval(this.#silence);
    if (this.#waiting.size === 0 || this.#isOver) {
      this.unref();
      return;
    }
    this.ref();
    const { answerLimitMs } = this.#options;
    if (answerLimitMs === undefined) return;
    const { cpuTimeMs = cpuTimeOfProcessMs } = this.#options;
    const [sinceMs, sinceCpuMs] = [performance.now(), cpuTimeMs()];
    const mostTimeMs = Math.max(LEAST_TIME_MS, MOST_TIME_FACTOR * answerLimitMs);
    const look = (): void => {
      const [tookMs, cpuMs] = [performance.now() - sinceMs, cpuTimeMs() - sinceCpuMs];
      if (cpuMs < answerLimitMs && tookMs < mostTimeMs) return;
      this.#end(new Error(silenceText(tookMs, cpuMs)));
      void super.terminate();
    };
    this.#silence = setInterval(look, Math.min(LOOK_EVERY_MS, answerLimitMs));
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
    clearInterval(this.#silence);
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

const silenceText = (tookMs: number, cpuMs: number): string =>
  `the planner worker made no progress within ${seconds(tookMs)} s (${seconds(cpuMs)} s of CPU time of this process), so it was ended; ` +
  'if this occurs again, give the pipeline file fewer variants, cpuCores, batchSizes or replicas, or report the file as a defect';

const seconds = (ms: number): string => (ms / 1000).toFixed(ms < 10_000 ? 1 : 0);
