/** Listeners are called outside the policies. One that throws affects neither them nor other listeners. */
import type { TurnQueue } from './turn-queue.js';

export class Listeners<Event> {
  readonly #turns: TurnQueue;
  readonly #listeners: ((event: Event) => void)[] = [];

  constructor(turns: TurnQueue) {
    this.#turns = turns;
  }

  add(listener: (event: Event) => void): void {
    this.#listeners.push(listener);
  }

  /** Calls all listeners after the running turn; exceptions are reported as defects. */
  tell(event: Event): void {
    if (this.#listeners.length === 0) return;
    this.#turns.take(() => {
      for (const listener of this.#listeners) this.#turns.guard(() => listener(event));
    });
  }
}
