/** Planner of one pipeline as its callers see it: questions to its planning session in a worker, one at a time in order. */
import type { ControllerSnapshot } from '@equipoise/core/control';
import type { Observation } from '@equipoise/core/model';
import { RpcClient, type RpcConnection } from '../worker-rpc.js';
import { PlannerPool, type SessionConnection } from './planner-pool.js';
import type { PlanningAnswer, PlanningSetup, PlanningTask, ReloadedSetup } from './planning-session.js';

/** Rejects questions that a person has preempted. */
export class PlanPreempted extends Error {
  constructor() {
    super('a person preempted the plan that was being made');
  }
}

/**
 * Plans for one pipeline, in a thread of its own unless several share a `pool`. A crash of the thread and an answer that comes too late
 * reject what waits; the next question starts a new session from the last snapshot.
 */
export class Planner extends RpcClient {
  readonly #pool: PlannerPool;
  #setup: PlanningSetup;
  #session: SessionConnection | undefined;
  /** Snapshot for a session that replaces the last one. */
  #kept: ControllerSnapshot | undefined;

  constructor(setup: PlanningSetup, pool = new PlannerPool()) {
    super();
    this.#setup = setup;
    this.#pool = pool;
  }

  ask<Task extends PlanningTask>(task: Task): Promise<PlanningAnswer<Task>> {
    return this.request({ kind: 'ask', task });
  }

  /** Shows the worker an observation while it decides on an earlier one; a burst in it preempts the plan. */
  show(observation: Observation): void {
    this.notify({ kind: 'show', observation });
  }

  /** Abandons what waits: it rejects at once with `PlanPreempted`, and the worker ends its plan at the next verification. */
  preempt(): void {
    const ids = this.connection?.thread.abandon(this, new PlanPreempted()) ?? [];
    if (ids.length > 0) this.notify({ kind: 'abandon', ids });
  }

  /** Keeps a snapshot, or a part of it, in case that the thread ends. */
  remember(kept: ControllerSnapshot): void {
    this.#kept = { ...this.#kept, ...kept };
  }

  /** Resumes from the snapshot of another planner, or a part of it. */
  follow(kept: ControllerSnapshot): void {
    this.remember(kept);
    if (this.#kept !== undefined && this.connection !== undefined)
      void this.ask({ kind: 'resume', kept: this.#kept }).catch(() => {});
  }

  /** Plans for another description from now on; rejects if that cannot be planned for, and then nothing has changed. */
  async reload({ spec, hostCores }: ReloadedSetup): Promise<void> {
    const before = this.#setup;
    this.#setup = { ...before, spec, hostCores };
    try {
      await this.ask({ kind: 'reload', spec, hostCores });
    } catch (error) {
      this.#setup = before;
      throw error;
    }
  }

  async close(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    this.disconnect();
    session?.thread.abandon(this);
    if (session !== undefined) await this.#pool.close(session);
  }

  protected override connect(): RpcConnection {
    this.#session = this.#pool.open(this.#setup, this.#kept);
    return this.#session;
  }
}
