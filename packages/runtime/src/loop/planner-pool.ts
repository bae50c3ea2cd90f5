/**
 * Threads of planner workers, shared by the pipelines of a process. Each pipeline has one session, whose state stays in
 * one thread. Up to the limit, a new session gets its own thread; after that, the thread with the fewest sessions. A
 * thread ends with its last session.
 */
import { createRequire } from 'node:module';
import { AppError } from '@equipoise/core/model';
import { RpcThread, type RpcThreadOptions } from '../worker-rpc.js';

/** Maximum CPU time (ms) of silence while an answer is awaited. The largest plans take some seconds. */
const ANSWER_LIMIT_MS = 120_000;
/** One thread can plan for many pipelines. */
const MOST_THREADS = 4;

/** Message to a thread: the process serves now, so the thread yields. */
export const YIELD = 'yield';

export interface PlannerPoolOptions {
  /** Default 1. */
  readonly threads?: number;
  readonly answerLimitMs?: number;
  /** CPU time of this process; default: as the system measures it. */
  readonly cpuTimeMs?: () => number;
  /** True if the process serves already; default: from the first plan or tick on. */
  readonly serves?: boolean;
}

/** Of several processors, one stays free for other work. */
export const plannerThreadsFor = (processors: number): number => Math.max(1, Math.min(MOST_THREADS, processors - 1));

/** Error of a question, as the thread posts it: that of an AppError, else a stack as its message. */
export type PlanningFailure =
  | Pick<AppError, 'code' | 'message' | 'details'>
  | { readonly code?: undefined; readonly message: string };

export function failureOf(error: unknown): PlanningFailure {
  if (error instanceof AppError) {
    const { code, message, details } = error;
    return { code, message, details };
  }
  return { message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}

export interface PooledSession {
  readonly thread: RpcThread<PlanningFailure>;
  readonly session: number;
}

interface PooledThread {
  readonly thread: RpcThread<PlanningFailure>;
  readonly sessions: Set<number>;
}

export class PlannerPool {
  readonly #threads: number;
  readonly #limits: Pick<RpcThreadOptions<PlanningFailure>, 'answerLimitMs' | 'cpuTimeMs'>;
  #serves: boolean;
  #running: PooledThread[] = [];
  #nextSession = 0;

  constructor({ threads = 1, answerLimitMs = ANSWER_LIMIT_MS, cpuTimeMs, serves = false }: PlannerPoolOptions = {}) {
    this.#serves = serves;
    this.#threads = threads;
    this.#limits = { answerLimitMs, ...(cpuTimeMs && { cpuTimeMs }) };
  }

  open(): PooledSession {
    this.#running = this.#running.filter(({ thread }) => !thread.isOver);
    if (this.#running.length < this.#threads) this.#running.push({ thread: this.#thread(), sessions: new Set() });
    const { thread, sessions } = this.#running.reduce((a, b) => (b.sessions.size < a.sessions.size ? b : a));
    const session = this.#nextSession++;
    sessions.add(session);
    return { thread, session };
  }

  /** Closing the last session of a thread ends the thread. */
  async close({ thread, session }: PooledSession): Promise<void> {
    const pooled = this.#running.find((each) => each.thread === thread);
    if (pooled?.sessions.delete(session) && pooled.sessions.size === 0) await thread.terminate();
  }

  /** Gives all threads of this pool, also later ones, less priority than the serving thread. */
  yieldToServing(): void {
    if (this.#serves) return;
    this.#serves = true;
    for (const { thread } of this.#running) thread.postMessage(YIELD);
  }

  #thread(): RpcThread<PlanningFailure> {
    const thread = new RpcThread<PlanningFailure>({
      entry: createRequire(import.meta.url).resolve('@equipoise/runtime/planner-thread'),
      heapMib: { young: 48 },
      ...this.#limits,
      errorOf: (failure) =>
        failure.code === undefined ? new Error(failure.message) : new AppError(failure.code, failure.message, failure),
      endedError: (cause) => cause ?? new Error('the planner worker has ended'),
    });
    if (this.#serves) thread.postMessage(YIELD);
    return thread;
  }
}
