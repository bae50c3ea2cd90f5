/** Spreads the start of multiplexed and pipelined calls over turns of the event loop, so that no client delays the others. */

/** Maximum calls that begin in one turn. */
const MOST_PER_TURN = 64;

export class FairTurns {
  readonly #nextTurn: (turn: () => void) => void;
  /** Waiting calls by connection, in the order of their turns. */
  readonly #waiting = new Map<object, (() => void)[]>();
  #begun = 0;

  constructor(nextTurn: (turn: () => void) => void = setImmediate) {
    this.#nextTurn = nextTurn;
  }

  /** Begins a call at once, or later if the turn is full. Calls of one connection begin in order. */
  begin(connection: object, call: () => void): void {
    const calls = this.#waiting.get(connection);
    if (calls !== undefined) calls.push(call);
    else if (this.#begun < MOST_PER_TURN) this.#start(call);
    else this.#waiting.set(connection, [call]);
  }

  #start(call: () => void): void {
    if (this.#begun++ === 0) this.#nextTurn(() => this.#turn());
    call();
  }

  /** Begins calls round-robin over the connections, up to the bound per turn. */
  #turn(): void {
    this.#begun = 0;
    for (const [connection, calls] of this.#waiting) {
      if (this.#begun === MOST_PER_TURN) return;
      this.#waiting.delete(connection);
      const first = calls.shift();
      // The connection moves to the end: the loop visits it again after the others.
      if (calls.length > 0) this.#waiting.set(connection, calls);
      if (first !== undefined) this.#start(first);
    }
  }
}
