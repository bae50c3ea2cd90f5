/**
 * Turns of answers that serve no inference: pages, and refusals of invalid requests. While new clients wait to be
 * accepted, few of these answers are given in a turn of the event loop. Clients that ask for nothing else then wait
 * instead of asking again at once.
 */
import type { Pressure } from './accept-pressure.js';

/** Answers of one turn, while new clients wait and otherwise. */
const MOST_PER_TURN = { pressed: 2, calm: 64 };

export class AsideTurns {
  readonly #pressure: Pressure;
  readonly #nextTurn: (turn: () => void) => void;
  /** Answers that wait, by connection and call. Connections take turns; the next one comes first. */
  readonly #waiting = new Map<object, Map<object, () => void>>();
  #isScheduled = false;

  constructor(pressure: Pressure, nextTurn: (turn: () => void) => void = setImmediate) {
    this.#pressure = pressure;
    this.#nextTurn = nextTurn;
  }

  /** Gives an answer at once, or in its turn while new clients wait. */
  take(connection: object, call: object, give: () => void): void {
    if (this.#waiting.size === 0 && !this.#pressure.isHigh) {
      give();
      return;
    }
    const calls = this.#waiting.get(connection) ?? new Map<object, () => void>();
    this.#waiting.set(connection, calls.set(call, give));
    this.#schedule();
  }

  /** Forgets the answer to a client that is gone. */
  forget(connection: object, call: object): void {
    const calls = this.#waiting.get(connection);
    if (calls?.delete(call) === true && calls.size === 0) this.#waiting.delete(connection);
  }

  /** True if answers of the connection wait. */
  has(connection: object): boolean {
    return this.#waiting.has(connection);
  }

  /** Connections with waiting answers, the next one first. */
  get connections(): Iterable<object> {
    return this.#waiting.keys();
  }

  /** Forgets all answers of a connection. */
  drop(connection: object): void {
    this.#waiting.delete(connection);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#nextTurn(() => this.#turn());
  }

  /** If giving an answer fails, the others still have their turns. */
  #turn(): void {
    this.#isScheduled = false;
    let left = this.#pressure.isHigh ? MOST_PER_TURN.pressed : MOST_PER_TURN.calm;
    try {
      for (const [connection, calls] of this.#waiting) {
        if (left-- === 0) break;
        const [first] = calls;
        this.#waiting.delete(connection);
        if (first === undefined) continue;
        const [call, give] = first;
        calls.delete(call);
        // The connection moves to the end.
        if (calls.size > 0) this.#waiting.set(connection, calls);
        give();
      }
    } finally {
      if (this.#waiting.size > 0) this.#schedule();
    }
  }
}
