/**
 * Turns of connections, so that no client delays the others: for the start of calls, for the bytes of bodies, and at
 * limited memory.
 */
import { BytesInFlight } from '../data-plane/bytes-in-flight.js';
import { noPressure, type Pressure } from './accept-pressure.js';
import { RoundRobin } from './round-robin.js';

/** Maximum calls that begin in one turn. */
const MOST_PER_TURN = 64;
/** Waiting calls begin in one turn for at most this time, while new clients wait to be accepted and otherwise. */
const MOST_MS_PER_TURN = { pressed: 1, calm: 4 };

/** Spreads the start of multiplexed and pipelined calls over turns of the event loop. */
export class FairTurns {
  readonly #pressure: Pressure;
  readonly #nextTurn: (turn: () => void) => void;
  readonly #nowMs: () => number;
  readonly #waiting = new RoundRobin<() => void>();
  #begun = 0;
  #isScheduled = false;

  constructor(
    pressure: Pressure = noPressure,
    nextTurn: (turn: () => void) => void = setImmediate,
    nowMs: () => number = () => performance.now(),
  ) {
    this.#pressure = pressure;
    this.#nextTurn = nextTurn;
    this.#nowMs = nowMs;
  }

  /**
   * Begins a call at once, or later if the turn is full or the call may not. Calls of one connection begin in order. A
   * call that waits for the next turn costs less if its client cancels it in the meantime.
   */
  begin(connection: object, call: () => void, mayBeginAtOnce = true): void {
    this.#schedule();
    if (mayBeginAtOnce && this.#begun < MOST_PER_TURN && !this.#waiting.has(connection)) {
      this.#begun++;
      call();
    } else this.#waiting.add(connection, call);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#nextTurn(() => this.#turn());
  }

  /**
   * Begins waiting calls, up to the bounds of a turn. At least one begins, even if the operating system stops the thread
   * for the whole time: without a further turn, the calls would wait until another one arrives.
   */
  #turn(): void {
    this.#isScheduled = false;
    this.#begun = 0;
    const endsAtMs = this.#nowMs() + (this.#pressure.isHigh ? MOST_MS_PER_TURN.pressed : MOST_MS_PER_TURN.calm);
    do {
      const call = this.#waiting.shift();
      if (call === undefined) break;
      this.#begun++;
      call();
    } while (this.#begun < MOST_PER_TURN && this.#nowMs() < endsAtMs);
    if (this.#begun > 0) this.#schedule();
  }
}

/**
 * Bytes of large bodies that all ports read in one turn, while new clients wait to be accepted and otherwise. The read
 * that exceeds them is still taken.
 */
const MOST_READ_PER_TURN = { pressed: 512 * 1024, calm: 2 * 1024 * 1024 };
/** A body that continues brings at least one chunk of this size. */
const CHUNK_BYTES = 64 * 1024;

/** A body that is being read or discarded. */
export interface PausableBody {
  pause(): unknown;
  resume(): unknown;
}

/** `hasHadTurn`: the body waits for the next turn in any case. `isPressed`: new clients of its port wait. */
export interface ReadState {
  readonly hasHadTurn: boolean;
  readonly isPressed: boolean;
}

/** Spreads the reading of large bodies over turns of the event loop. Waiting bodies continue in order. */
export class ReadTurns {
  readonly #nextTurn: (turn: () => void) => void;
  readonly #waiting = new Set<PausableBody>();
  #read = 0;
  #most = MOST_READ_PER_TURN.calm;
  #isScheduled = false;

  constructor(nextTurn: (turn: () => void) => void = setImmediate) {
    this.#nextTurn = nextTurn;
  }

  /** Counts bytes of a large body. Pauses the body if it has had its turn, or the turn is full. */
  take(body: PausableBody, bytes: number, { hasHadTurn, isPressed }: ReadState): void {
    this.#most = isPressed ? MOST_READ_PER_TURN.pressed : MOST_READ_PER_TURN.calm;
    this.#read += bytes;
    if (hasHadTurn || this.#read > this.#most) {
      body.pause();
      this.#waiting.add(body);
    }
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#nextTurn(() => this.#turn());
  }

  #turn(): void {
    this.#isScheduled = false;
    this.#read = 0;
    let resumed = 0;
    for (const body of this.#waiting) {
      if (resumed++ === this.#most / CHUNK_BYTES) break;
      this.#waiting.delete(body);
      body.resume();
    }
    if (this.#waiting.size > 0) this.#schedule();
  }
}

/** All ports share the event loop. */
export const readTurns = new ReadTurns();

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
