/**
 * A step that takes its time is begun anew where an observation that comes in meanwhile shows something more urgent. What the step remembers of
 * the work that it had done stays; nothing else of it does.
 */
import type { Observation } from '@equipoise/core/model';

/** Where later observations come from, and which of them are urgent. */
export interface Lookout {
  readonly later: (() => Observation | undefined) | undefined;
  readonly showsBurst: (observation: Observation) => boolean;
}

/** Thrown through the step. */
class Interrupted extends Error {
  readonly observation: Observation;

  constructor(observation: Observation) {
    super('a burst came in between');
    this.observation = observation;
  }
}

/** Lets steps be interrupted, one at a time, where they call `check`. */
export class Interruption {
  #lookout: Lookout | undefined;

  /** The step on an observation or, where it is interrupted, on the later one; that one is not interrupted again. */
  during<Result>(lookout: Lookout, first: Observation, step: (observation: Observation) => Result): Result {
    this.#lookout = lookout;
    try {
      return step(first);
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      this.#lookout = undefined;
      // What happened since the tick before is told once, with the observation of the tick.
      const { batches, edges, lastChange } = first;
      const once = { ...(batches && { batches }), ...(edges && { edges }), ...(lastChange && { lastChange }) };
      return step({ ...error.observation, ...once });
    } finally {
      this.#lookout = undefined;
    }
  }

  /** Ends the step that is under way if there is something more urgent. */
  check(): void {
    const latest = this.#lookout?.later?.();
    if (latest !== undefined && this.#lookout?.showsBurst(latest)) throw new Interrupted(latest);
  }
}
