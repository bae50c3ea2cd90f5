/**
 * Runs one step at a time. Effects must not call back into the policies, so a step requested during another waits for
 * its end, still within the same outer call. An exception in a step is a defect: it is reported, and the next step
 * runs.
 */

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

  /** Runs a part of a step whose defects must not end the step; returns false after a defect. */
  guard(part: () => void): boolean {
    try {
      part();
      return true;
    } catch (error) {
      this.report(error);
      return false;
    }
  }

  /** Reports a defect. A defect of the listener itself becomes a process warning. */
  report(error: unknown): void {
    try {
      this.#onDefect(error);
    } catch (again) {
      warnOfDefect(again);
    }
  }
}

export function warnOfDefect(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : 'Something that is no Error was thrown.');
}
