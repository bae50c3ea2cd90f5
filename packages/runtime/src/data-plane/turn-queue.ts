/**
 * Runs one step at a time. A step requested during another step runs after that step, in the same outer call, because
 * effects must not call back into the policies. An exception is a defect: it is reported, and the next step runs.
 */
export class TurnQueue {
  readonly #waiting: (() => void)[] = [];
  readonly #onDefect: (error: unknown) => void;
  #running = false;

  constructor(onDefect: (error: unknown) => void) {
    this.#onDefect = onDefect;
  }

  take(step: () => void): void {
    this.#waiting.push(step);
    if (this.#running) return;
    this.#running = true;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) this.guard(next);
    this.#running = false;
  }

  /** Runs a part of a step; reports a defect and returns false. */
  guard(part: () => void): boolean {
    try {
      part();
      return true;
    } catch (error) {
      this.report(error);
      return false;
    }
  }

  /** Reports a defect. If the listener throws, its exception becomes a warning. */
  report(error: unknown): void {
    try {
      this.#onDefect(error);
    } catch (again) {
      warnOfDefect(again);
    }
  }
}

/** Listeners of one kind of event. An exception in one affects neither the policies nor other listeners. */
export class Listeners<Event> {
  readonly #turns: TurnQueue;
  readonly #listeners: ((event: Event) => void)[] = [];
  /** Events whose turns wait, oldest first. */
  readonly #events: Event[] = [];
  /** One function for all events, because requests and batches end thousands of times per second. */
  readonly #deliver = () => {
    const event = this.#events.shift() as Event;
    for (const listener of this.#listeners) this.#call(listener, event);
  };

  constructor(turns: TurnQueue) {
    this.#turns = turns;
  }

  add(listener: (event: Event) => void): void {
    this.#listeners.push(listener);
  }

  /** Calls all listeners after the current turn. */
  tell(event: Event): void {
    if (this.#listeners.length === 0) return;
    this.#events.push(event);
    this.#turns.take(this.#deliver);
  }

  #call(listener: (event: Event) => void, event: Event): void {
    try {
      listener(event);
    } catch (error) {
      this.#turns.report(error);
    }
  }
}

export function warnOfDefect(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : 'A value that is not an Error was thrown.');
}
