/**
 * New clients that wait to be accepted. A port accepts at most one connection of each of its sockets in a turn of the
 * event loop, so they wait for many turns. While they do, turns are short: what can wait takes little of each.
 */

/** New clients count as waiting for so long after a turn in which each socket of a port had one. */
const WAITING_MS = 100;

export class AcceptPressure {
  readonly #nowMs: () => number;
  #fullAtMs = Number.NEGATIVE_INFINITY;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** True while new clients probably wait. */
  get isHigh(): boolean {
    return this.#nowMs() - this.#fullAtMs < WAITING_MS;
  }

  /** Notes a turn in which each socket of a port had a new client. */
  noteFullTurn(): void {
    this.#fullAtMs = this.#nowMs();
  }
}

/** All ports share the event loop. */
export const acceptPressure = new AcceptPressure();
