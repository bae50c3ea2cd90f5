/**
 * Threads of planner workers, shared by the pipelines of a process. Each pipeline has one session, whose state stays in
 * one thread. Up to the limit, a new session gets its own thread; after that, the thread with the fewest sessions. A
 * thread ends with its last session.
 */
import { createRequire } from 'node:module';
import { RpcThread, type RpcThreadOptions } from '../worker-rpc.js';

/** Maximum CPU time (ms) of silence while an answer is awaited. The largest plans take some seconds. */
const ANSWER_LIMIT_MS = 120_000;
/** One thread can plan for many pipelines. */
const MOST_THREADS = 4;

export interface PlannerPoolOptions {
  /** Default 1. */
  readonly threads?: number;
  readonly answerLimitMs?: number;
  /** CPU time of this process; default: as the system measures it. */
  readonly cpuTimeMs?: () => number;
}

/** Of several processors, one stays free for other work. */
export const plannerThreadsFor = (processors: number): number => Math.max(1, Math.min(MOST_THREADS, processors - 1));

export interface PooledSession {
  readonly thread: RpcThread<string>;
  readonly session: number;
}

interface PooledThread {
  readonly thread: RpcThread<string>;
  readonly sessions: Set<number>;
}

export class PlannerPool {
  readonly #threads: number;
  readonly #limits: Pick<RpcThreadOptions<string>, 'answerLimitMs' | 'cpuTimeMs'>;
  #running: PooledThread[] = [];
  #nextSession = 0;

  constructor({ threads = 1, answerLimitMs = ANSWER_LIMIT_MS, cpuTimeMs }: PlannerPoolOptions = {}) {
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

  #thread(): RpcThread<string> {
    return new RpcThread<string>({
      entry: createRequire(import.meta.url).resolve('@equipoise/runtime/planner-thread'),
      heapMib: { young: 48 },
      ...this.#limits,
      errorOf: (message) => new Error(message),
      endedError: (cause) => cause ?? new Error('the planner worker has ended'),
    });
  }
}
