/** A planning thread as its callers see it: questions in, promises of answers out, one at a time in order. */
import type { KeptController } from '@equipoise/core/control';
import type { Observation } from '@equipoise/core/model';
import type { PlanningAnswer, PlanningSetup, PlanningTask, ReloadedSetup } from './planning-engine.js';
import { type PlanningSeat, PlanningThreads } from './planning-threads.js';

/**
 * Plans for one pipeline, in a thread of its own unless several share `threads`. A crash of the thread, and an answer that does not come in
 * time, reject what waits; the next question begins anew with what was kept.
 */
export class Planner {
  readonly #threads: PlanningThreads;
  #setup: PlanningSetup;
  #seat: PlanningSeat | undefined;
  /** What the last seat had learned, for one that takes its place. */
  #kept: KeptController | undefined;

  constructor(setup: PlanningSetup, threads = new PlanningThreads()) {
    this.#setup = setup;
    this.#threads = threads;
  }

  ask<Task extends PlanningTask>(task: Task): Promise<PlanningAnswer<Task>> {
    const before = this.#seated;
    if (before !== undefined) return before.ask(task);
    const seat = this.#threads.seat(this.#setup);
    this.#seat = seat;
    // What cannot be resumed costs what was learned; the question that was asked tells whether the thread is well.
    if (this.#kept !== undefined) void seat.ask({ kind: 'resume', kept: this.#kept }).catch(() => {});
    return seat.ask(task);
  }

  /** Shows the thread an observation while it decides on an earlier one; a burst in it is answered first. */
  show(observation: Observation): void {
    this.#seated?.show(observation);
  }

  /** What is worth keeping of what was learned, or news of it, in case that the thread ends. */
  remember(kept: KeptController): void {
    this.#kept = { ...this.#kept, ...kept };
  }

  /** Goes on with what another has learned, or news of it. */
  teach(kept: KeptController): void {
    this.remember(kept);
    if (this.#kept !== undefined) void this.#seated?.ask({ kind: 'resume', kept: this.#kept }).catch(() => {});
  }

  /** Plans for another description from now on; rejects where that cannot be planned for, and then nothing has changed. */
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
    const seat = this.#seat;
    this.#seat = undefined;
    await seat?.close();
  }

  get #seated(): PlanningSeat | undefined {
    return this.#seat?.isOver === false ? this.#seat : undefined;
  }
}
