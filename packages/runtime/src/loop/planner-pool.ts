/**
 * Planner workers: a few threads for all pipelines of a process. Each pipeline has a planning session in one of them,
 * where its plans are remembered. A new session gets its own thread while the limit allows, else the thread with the
 * fewest. A thread ends with its last session; one that crashes or stays silent takes its sessions with it.
 */
import { createRequire } from 'node:module';
import type { ControllerSnapshot } from '@equipoise/core/control';
import { type RpcConnection, RpcThread } from '../worker-rpc.js';
import type { PlannerMessage } from './planner-worker.js';
import type { PlanningSetup } from './planning-session.js';

/** Longest silence (ms) while an answer is awaited. The largest plans take some seconds. */
const ANSWER_LIMIT_MS = 120_000;
/** One thread has the time for many pipelines. */
const MOST_THREADS = 4;

export interface PlannerPoolOptions {
  /** Default 1. */
  readonly threads?: number;
  readonly answerLimitMs?: number;
}

/** One processor stays free for everything else. */
export const plannerThreadsFor = (processors: number): number => Math.max(1, Math.min(MOST_THREADS, processors - 1));

export interface SessionConnection extends RpcConnection {
  readonly address: { readonly session: number };
}

interface PooledThread {
  readonly rpc: RpcThread<string>;
  readonly sessions: Set<number>;
}

export class PlannerPool {
  readonly #threads: number;
  readonly #answerLimitMs: number;
  #running: PooledThread[] = [];
  #nextSession = 0;

  constructor({ threads = 1, answerLimitMs = ANSWER_LIMIT_MS }: PlannerPoolOptions = {}) {
    this.#threads = threads;
    this.#answerLimitMs = answerLimitMs;
  }

  /** Opens a session, which continues from a snapshot; starts a thread if needed. */
  open(setup: PlanningSetup, kept?: ControllerSnapshot): SessionConnection {
    this.#running = this.#running.filter(({ rpc }) => !rpc.isOver);
    if (this.#running.length < this.#threads) this.#running.push({ rpc: this.#thread(), sessions: new Set() });
    const { rpc, sessions } = this.#running.reduce((a, b) => (b.sessions.size < a.sessions.size ? b : a));
    const session = this.#nextSession++;
    sessions.add(session);
    rpc.post({ kind: 'open', session, setup, kept } satisfies PlannerMessage);
    return { thread: rpc as RpcThread<never>, address: { session } };
  }

  /** The last session ends its thread. */
  async close({ thread, address: { session } }: SessionConnection): Promise<void> {
    const of = this.#running.find(({ rpc }) => (rpc as object) === thread);
    if (of === undefined || !of.sessions.delete(session)) return;
    if (of.sessions.size > 0) thread.post({ kind: 'close', session } satisfies PlannerMessage);
    else await thread.terminate();
  }

  #thread(): RpcThread<string> {
    return new RpcThread<string>({
      entry: createRequire(import.meta.url).resolve('@equipoise/runtime/planner-thread'),
      answerLimitMs: this.#answerLimitMs,
      errorOf: (message) => new Error(message),
      endedError: (cause) => cause ?? new Error('the planner worker has ended'),
    });
  }
}
