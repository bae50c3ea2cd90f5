/**
 * Runs one step at a time to its end. The policies must not be called back from inside an effect; a step that is asked for while
 * another runs therefore waits until that one has ended, still within the same call from outside. A step that throws is a defect: it
 * is reported, and the next one runs all the same.
 */

/** Steps that never nest. */
export class TurnQueue {
  readonly #waiting: (() => void)[] = [];
  readonly #onDefect: (error: unknown) => void;
  #running = false;

  constructor(onDefect: (error: unknown) => void) {
    this.#onDefect = onDefect;
  }

  /** Runs `step` now, or after the running step. */
  take(step: () => void): void {
    this.#waiting.push(step);
    if (this.#running) return;
    this.#running = true;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) this.guard(next);
    this.#running = false;
  }

  /** Runs a part of a step whose defects must not end the step; tells whether it came to its end. */
  guard(part: () => void): boolean {
    try {
      part();
      return true;
    } catch (error) {
      this.report(error);
      return false;
    }
  }

  /** Tells of a defect; one of the listener itself goes to the process warnings. */
  report(error: unknown): void {
    try {
      this.#onDefect(error);
    } catch (again) {
      warnOfDefect(again);
    }
  }
}

/** The default listener: a process warning. */
export function warnOfDefect(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : 'Something that is no Error was thrown.');
}
