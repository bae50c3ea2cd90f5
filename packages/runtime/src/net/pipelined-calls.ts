/**
 * Calls of one HTTP/1.1 connection. A client may send requests before it has read earlier answers. Its calls begin only
 * as fast as it takes answers: at first one at a time, then one more for each answer taken, as in the slow start of TCP.
 * So a client that reads nothing costs one call, not all that it sends.
 */
import type { ServerResponse } from 'node:http';
import { MOST_PIPELINED } from './connection-limit.js';

export interface PipelineDeps {
  /** Begins a call in one of the next turns of the event loop, after earlier calls of the connection. */
  readonly begin: (call: () => void) => void;
  /** True while an answer waits for the client. */
  readonly hasUnsent: () => boolean;
  /** Bytes that the connection has read so far. */
  readonly bytesRead: () => number;
}

interface WaitingCall {
  readonly begin: () => void;
  /** Bytes that the connection had read when the call arrived. */
  readonly readBefore: number;
}

export class PipelinedCalls {
  readonly #deps: PipelineDeps;
  /** Maximum calls at a time. */
  #window = 1;
  #unanswered = 0;
  /** Calls that have begun and are not answered. */
  #running = 0;
  /** Calls that have not begun. */
  readonly #waiting: WaitingCall[] = [];
  /** Responses behind an unanswered one. Node does not tell them that their connection is closed. */
  readonly #behind = new Set<ServerResponse>();

  constructor(deps: PipelineDeps) {
    this.#deps = deps;
  }

  /** Requests that wait for their answer, also those of which no call has begun. */
  get unanswered(): number {
    return this.#unanswered;
  }

  /** Bytes that have arrived since the call that has waited longest. Node keeps them as bodies. */
  get waitingBytes(): number {
    const [first] = this.#waiting;
    return first === undefined ? 0 : this.#deps.bytesRead() - first.readBefore;
  }

  /**
   * Counts a request until its response is closed, then calls `answered`. Its call begins at once if no request waits
   * before it, otherwise later. A request without a call is refused.
   */
  add(response: ServerResponse, answered: () => void, call?: () => void): void {
    if (this.#unanswered++ > 0) this.#behind.add(response);
    response.on('close', () => {
      this.#unanswered--;
      this.#behind.delete(response);
      answered();
      if (call !== undefined) this.#ended(response);
    });
    if (call === undefined) return;
    if (this.#unanswered === 1) {
      this.#running++;
      call();
      return;
    }
    this.#waiting.push({ begin: call, readBefore: this.#deps.bytesRead() });
    this.#beginNext();
  }

  /** Call when the connection is closed: forgets waiting calls, and tells the running ones. */
  closed(): void {
    this.#waiting.length = 0;
    for (const response of this.#behind) {
      // The first response has the connection, so Node tells it.
      if (response.socket === null) response.emit('close');
    }
  }

  #ended({ writableFinished }: ServerResponse): void {
    this.#running--;
    if (writableFinished) this.#window = Math.min(this.#window + 1, MOST_PIPELINED);
    this.#beginNext();
  }

  #beginNext(): void {
    while (this.#running < this.#window && !(this.#running > 0 && this.#deps.hasUnsent())) {
      const call = this.#waiting.shift();
      if (call === undefined) return;
      this.#running++;
      this.#deps.begin(call.begin);
    }
  }
}
