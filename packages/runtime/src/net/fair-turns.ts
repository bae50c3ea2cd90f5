/** Turns of connections, so that no client delays the others: at the event loop and at limited memory. */
import { BytesInFlight } from '../data-plane/bytes-in-flight.js';

/** Maximum calls that begin in one turn. */
const MOST_PER_TURN = 64;

/** Waiting items by connection. Connections are served round-robin, the items of one in order. */
class RoundRobin<T> {
  /** The next connection comes first. */
  readonly #items = new Map<object, T[]>();

  /** Number of connections with waiting items. */
  get size(): number {
    return this.#items.size;
  }

  get first(): T | undefined {
    for (const [first] of this.#items.values()) return first;
    return undefined;
  }

  has(connection: object): boolean {
    return this.#items.has(connection);
  }

  add(connection: object, item: T): void {
    const items = this.#items.get(connection);
    if (items === undefined) this.#items.set(connection, [item]);
    else items.push(item);
  }

  shift(): T | undefined {
    for (const [connection, items] of this.#items) {
      const first = items.shift();
      this.#items.delete(connection);
      // The connection moves to the end.
      if (items.length > 0) this.#items.set(connection, items);
      return first;
    }
    return undefined;
  }
}

/** Spreads the start of multiplexed and pipelined calls over turns of the event loop. */
export class FairTurns {
  readonly #nextTurn: (turn: () => void) => void;
  readonly #waiting = new RoundRobin<() => void>();
  #begun = 0;

  constructor(nextTurn: (turn: () => void) => void = setImmediate) {
    this.#nextTurn = nextTurn;
  }

  /** Begins a call at once, or later if the turn is full. Calls of one connection begin in order. */
  begin(connection: object, call: () => void): void {
    if (this.#begun < MOST_PER_TURN && !this.#waiting.has(connection)) this.#start(call);
    else this.#waiting.add(connection, call);
  }

  #start(call: () => void): void {
    if (this.#begun++ === 0) this.#nextTurn(() => this.#turn());
    call();
  }

  /** Begins waiting calls, up to the bound per turn. */
  #turn(): void {
    this.#begun = 0;
    while (this.#begun < MOST_PER_TURN) {
      const call = this.#waiting.shift();
      if (call === undefined) return;
      this.#start(call);
    }
  }
}

/** Grants memory. Waiting connections take turns; a small request does not overtake a large one whose turn it is. */
export class MemoryQueue {
  readonly #bytes: BytesInFlight;
  readonly #waiting = new RoundRobin<{ readonly bytes: number; readonly grant: () => void }>();

  /** While no memory is granted, a request may have any size. */
  constructor(mostBytes: number) {
    this.#bytes = new BytesInFlight(mostBytes);
  }

  async take(connection: object, bytes: number): Promise<void> {
    if (this.#waiting.size === 0 && this.#bytes.take(bytes)) return;
    await new Promise<void>((grant) => this.#waiting.add(connection, { bytes, grant }));
  }

  release(bytes: number): void {
    this.#bytes.release(bytes);
    for (
      let { first } = this.#waiting;
      first !== undefined && this.#bytes.take(first.bytes);
      { first } = this.#waiting
    ) {
      this.#waiting.shift();
      first.grant();
    }
  }
}
