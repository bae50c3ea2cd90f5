/** Those who want to hear of something; they are called outside the policies, and one that throws harms neither them nor the rest. */
import type { TurnQueue } from './turn-queue.js';

/** Listeners of one kind of event. */
export class Listeners<Event> {
  readonly #turns: TurnQueue;
  readonly #listeners: ((event: Event) => void)[] = [];

  constructor(turns: TurnQueue) {
    this.#turns = turns;
  }

  add(listener: (event: Event) => void): void {
    this.#listeners.push(listener);
  }

  /** Calls all listeners after the running turn; what they throw is reported as a defect. */
  tell(event: Event): void {
    if (this.#listeners.length === 0) return;
    this.#turns.take(() => {
      for (const listener of this.#listeners) this.#turns.guard(() => listener(event));
    });
  }
}
