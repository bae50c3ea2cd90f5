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
  /** Answers that wait, by call, in order. */
  readonly #waiting = new Map<object, () => void>();
  #isScheduled = false;

  constructor(pressure: Pressure, nextTurn: (turn: () => void) => void = setImmediate) {
    this.#pressure = pressure;
    this.#nextTurn = nextTurn;
  }

  /** Gives an answer at once, or in its turn while new clients wait. */
  take(call: object, give: () => void): void {
    if (this.#waiting.size === 0 && !this.#pressure.isHigh) {
      give();
      return;
    }
    this.#waiting.set(call, give);
    this.#schedule();
  }

  /** Forgets the answer to a client that is gone. */
  forget(call: object): void {
    if (this.#waiting.size > 0) this.#waiting.delete(call);
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
      for (const [call, give] of this.#waiting) {
        if (left-- === 0) break;
        this.#waiting.delete(call);
        give();
      }
    } finally {
      if (this.#waiting.size > 0) this.#schedule();
    }
  }
}
