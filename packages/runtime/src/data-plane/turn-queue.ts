/**
 * Runs one step at a time to its end. The policies must not be called back from inside an effect; a step that is asked for while
 * another runs therefore waits until that one has ended, still within the same call from outside.
 */

/** Steps that never nest. */
export class TurnQueue {
  readonly #waiting: (() => void)[] = [];
  #running = false;

  /** Runs `step` now, or after the running step. */
  take(step: () => void): void {
    this.#waiting.push(step);
    if (this.#running) return;
    this.#running = true;
    try {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) next();
    } finally {
      this.#running = false;
    }
  }
}
