/**
 * Credit of an HTTP/2 connection for streams that come to nothing. A stream that is opened and reset at once costs the
 * server an estimated 60 µs, and the client 30 bytes. A client that does nothing else is told to be calm. Answers add
 * credit: a client with many calls may also cancel many.
 */
import { constants } from 'node:http2';

/** Credit of a new connection, and the most that answers add up to. An answered stream adds one. */
const CREDIT = { first: 64, most: 1000 };
/** Credit that a stream takes on which the client broke the protocol. Clients in order never do that. */
const BROKEN_COST = 8;
/** Codes of resets by which a server ends a stream after an invalid frame. */
const BROKEN: ReadonlySet<number> = new Set([
  constants.NGHTTP2_PROTOCOL_ERROR,
  constants.NGHTTP2_FLOW_CONTROL_ERROR,
  constants.NGHTTP2_STREAM_CLOSED,
  constants.NGHTTP2_FRAME_SIZE_ERROR,
]);

/** `headersSent`: an answer or a refusal has begun. */
export interface EndedStream {
  readonly rstCode: number;
  readonly headersSent: boolean;
}

export class StreamCredit {
  #left = CREDIT.first;
  #hasAnswered = false;

  /** True after an answer, while the connection has not wasted more streams than it has answered ones. */
  get isGood(): boolean {
    return this.#hasAnswered && this.#left >= CREDIT.first;
  }

  /** Counts a stream; `atOnce` if it ended in the turn of the event loop in which it was opened. False without credit. */
  count({ rstCode, headersSent }: EndedStream, atOnce: boolean): boolean {
    if (BROKEN.has(rstCode)) this.#left -= BROKEN_COST;
    else if (headersSent) {
      this.#hasAnswered = true;
      this.#left = Math.min(this.#left + 1, CREDIT.most);
    } else if (atOnce) this.#left--;
    return this.#left > 0;
  }
}

/** Number of the present turn of the event loop. It rises only while somebody asks. */
export class TurnNumber {
  #number = 0;
  #isRising = false;
  readonly #nextTurn: (turn: () => void) => void;

  constructor(nextTurn: (turn: () => void) => void = setImmediate) {
    this.#nextTurn = nextTurn;
  }

  get now(): number {
    if (!this.#isRising) {
      this.#isRising = true;
      this.#nextTurn(() => {
        this.#isRising = false;
        this.#number++;
      });
    }
    return this.#number;
  }
}
