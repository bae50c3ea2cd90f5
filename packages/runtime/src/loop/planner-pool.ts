/**
 * Planner workers: a few threads for all pipelines of a process. Each pipeline has a planning session in one of them, where its plans are
 * remembered. A new session gets a thread of its own while the limit allows, else it joins the thread with the fewest. A thread ends with
 * its last session; a thread that crashes or gives no answer for too long takes its sessions with it.
 */
import { createRequire } from 'node:module';
import type { ControllerSnapshot } from '@equipoise/core/control';
import { type RpcConnection, RpcThread } from '../worker-rpc.js';
import type { PlannerMessage } from './planner-worker.js';
import type { PlanningSetup } from './planning-session.js';

/** Longest silence (ms) while an answer is waited for. Plans take tenths of a second, the largest some seconds. */
const ANSWER_LIMIT_MS = 120_000;
/** More threads would only take memory: one has the time for many pipelines. */
const MOST_THREADS = 4;

/** Limits of a pool. */
export interface PlannerPoolOptions {
  /** 1 when left out. */
  readonly threads?: number;
  readonly answerLimitMs?: number;
}

/** Threads for a host with this many processors: one processor stays free for everything else. */
export const plannerThreadsFor = (processors: number): number => Math.max(1, Math.min(MOST_THREADS, processors - 1));

/** A planning session in a thread. */
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

  /** Opens a session for one more pipeline, which continues from a snapshot; starts a thread if needed. */
  open(setup: PlanningSetup, kept?: ControllerSnapshot): SessionConnection {
    this.#running = this.#running.filter(({ rpc }) => !rpc.isOver);
    if (this.#running.length < this.#threads) this.#running.push({ rpc: this.#thread(), sessions: new Set() });
    const { rpc, sessions } = this.#running.reduce((a, b) => (b.sessions.size < a.sessions.size ? b : a));
    const session = this.#nextSession++;
    sessions.add(session);
    rpc.post({ kind: 'open', session, setup, kept } satisfies PlannerMessage);
    return { thread: rpc as RpcThread<never>, address: { session } };
  }

  /** Closes a session; the last one ends its thread. */
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
