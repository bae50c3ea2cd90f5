/**
 * Connections of a port over HTTP/1.1, and the order in which they make place for new ones. A client whose connection
 * has been idle for a moment only is probably about to use it, so a slow request goes before it.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { isSlowRequest } from './connection-limit.js';
import type { PipelinedCalls } from './pipelined-calls.js';
import { lateRequest, refuseRaw } from './refusal.js';

/** A connection that has been idle for so long makes place before a slow request. */
const LONG_IDLE_MS = 1000;
/** Connections that one search for a slow request looks at. */
const MOST_LOOKS = 64;

export interface Http1Connection {
  readonly calls: PipelinedCalls;
  /** Response to the last request, until the response has left. */
  last: ServerResponse | undefined;
  /** Time when the head of the last request arrived, and bytes read by then. */
  sinceMs: number;
  readBefore: number;
  isRefused: boolean;
  /** True once the client has taken an answer. */
  isAnswered: boolean;
}

export class Http1Connections {
  readonly #nowMs: () => number;
  readonly #all = new Map<Socket, Http1Connection>();
  /** Times since when connections have been idle, the oldest first: without a request so far, and after an answer. */
  readonly #unasked = new Map<Socket, number>();
  readonly #answered = new Map<Socket, number>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Number of connections with unanswered requests. */
  get answering(): number {
    return [...this.#all.values()].filter(({ calls }) => calls.unanswered > 0).length;
  }

  get(socket: Socket): Http1Connection | undefined {
    return this.#all.get(socket);
  }

  add(socket: Socket, calls: PipelinedCalls): void {
    this.#all.set(socket, { calls, last: undefined, sinceMs: 0, readBefore: 0, isRefused: false, isAnswered: false });
    this.#unasked.set(socket, this.#nowMs());
  }

  forget(socket: Socket): void {
    this.#all.delete(socket);
    this.#unasked.delete(socket);
    this.#answered.delete(socket);
  }

  /** Notes a request. Call the returned function once its response is closed. */
  noteRequest(connection: Http1Connection, socket: Socket, response: ServerResponse): () => void {
    connection.last = response;
    connection.sinceMs = this.#nowMs();
    connection.readBefore = socket.bytesRead;
    this.#unasked.delete(socket);
    this.#answered.delete(socket);
    return () => {
      connection.isAnswered ||= response.writableFinished;
      if (connection.calls.unanswered === 0 && this.#all.has(socket)) this.#answered.set(socket, this.#nowMs());
      if (connection.last === response) connection.last = undefined;
    };
  }

  /**
   * Closes the connection that has been idle longest, rather one without a request so far; false if none has been idle
   * for so long.
   */
  closeIdle(leastIdleMs: number = LONG_IDLE_MS): boolean {
    for (const idle of [this.#unasked, this.#answered]) {
      for (const [socket, sinceMs] of idle) {
        if (this.#nowMs() - sinceMs < leastIdleMs) break;
        // Forgotten at once, so that the next search skips it.
        this.forget(socket);
        socket.destroy();
        return true;
      }
    }
    return false;
  }

  /**
   * Refuses a request that arrives slowly; false if there is none among the connections that it looks at. The next
   * search continues behind them.
   */
  refuseSlow(): boolean {
    let looks = Math.min(MOST_LOOKS, this.#all.size);
    for (const [socket, connection] of this.#all) {
      if (looks-- === 0) return false;
      this.#all.delete(socket);
      if (this.#isSlow(socket, connection)) {
        refuseRaw(lateRequest, socket, connection.last);
        return true;
      }
      this.#all.set(socket, connection);
    }
    return false;
  }

  /** A pipelined request may wait for the server, not for its client. */
  #isSlow({ bytesRead }: Socket, { last, calls, sinceMs, readBefore }: Http1Connection): boolean {
    if (last === undefined || last.req.complete || calls.unanswered > 1) return false;
    return isSlowRequest(this.#nowMs() - sinceMs, bytesRead - readBefore);
  }
}
