/** Planner of one pipeline: questions to its planning session in a worker, one at a time in order. */
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
 * Uses its own thread unless several share a `pool`. A crash or a late answer rejects what waits; the next question
 * starts a new session from the last snapshot.
 */
export class Planner extends RpcClient {
  readonly #pool: PlannerPool;
  #setup: PlanningSetup;
  #session: SessionConnection | undefined;
  #kept: ControllerSnapshot | undefined;

  constructor(setup: PlanningSetup, pool = new PlannerPool()) {
    super();
    this.#setup = setup;
    this.#pool = pool;
  }

  ask<Task extends PlanningTask>(task: Task): Promise<PlanningAnswer<Task>> {
    return this.request({ kind: 'ask', task });
  }

  /** Shows an observation newer than the one under way; a burst in it preempts the plan. */
  show(observation: Observation): void {
    this.notify({ kind: 'show', observation });
  }

  /** Rejects what waits with `PlanPreempted`; the worker ends its plan at the next verification. */
  preempt(): void {
    const ids = this.connection?.thread.abandon(this, new PlanPreempted()) ?? [];
    if (ids.length > 0) this.notify({ kind: 'abandon', ids });
  }

  /** Keeps a snapshot, or a part of it, for a new session. */
  remember(kept: ControllerSnapshot): void {
    this.#kept = { ...this.#kept, ...kept };
  }

  /** Resumes from the snapshot of another planner, or a part of it. */
  follow(kept: ControllerSnapshot): void {
    this.remember(kept);
    if (this.#kept !== undefined && this.connection !== undefined)
      void this.ask({ kind: 'resume', kept: this.#kept }).catch(() => {});
  }

  /** Rejects, and changes nothing, if the new description cannot be planned for. */
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
