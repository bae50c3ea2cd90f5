/**
 * Turns of answers that serve no inference: pages, and refusals of invalid requests. While new clients wait to be
 * accepted, few of these answers are given in a turn of the event loop. Clients that ask for nothing else then wait
 * instead of asking again at once.
 */
import type { Pressure } from './accept-pressure.js';
import { RoundRobin } from './round-robin.js';

/** Answers of one turn, while new clients wait and otherwise. */
const MOST_PER_TURN = { pressed: 2, calm: 64 };

export class AsideTurns {
  readonly #pressure: Pressure;
  readonly #nextTurn: (turn: () => void) => void;
  readonly #waiting = new RoundRobin<{ readonly call: object; readonly give: () => void }>();
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
    this.#waiting.add(connection, { call, give });
    this.#schedule();
  }

  /** Forgets the answer to a client that is gone. */
  forget(connection: object, call: object): void {
    this.#waiting.remove(connection, (waiting) => waiting.call === call);
  }

  /** True if answers of the connection wait. */
  has(connection: object): boolean {
    return this.#waiting.has(connection);
  }

  /** Connections with waiting answers, the next one first. */
  get connections(): Iterable<object> {
    return this.#waiting.connections;
  }

  /** Forgets all answers of a connection. */
  drop(connection: object): void {
    this.#waiting.remove(connection);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#nextTurn(() => this.#turn());
  }

  /** If giving an answer fails, the others still have their turns. */
  #turn(): void {
    this.#isScheduled = false;
    const most = this.#pressure.isHigh ? MOST_PER_TURN.pressed : MOST_PER_TURN.calm;
    try {
      for (let given = 0; given < most; given++) {
        const next = this.#waiting.shift();
        if (next === undefined) break;
        next.give();
      }
    } finally {
      if (this.#waiting.size > 0) this.#schedule();
    }
  }
}
