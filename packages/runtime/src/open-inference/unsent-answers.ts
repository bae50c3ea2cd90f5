/**
 * Answers over HTTP/1.1 that have not left the process to their end, because their clients read more slowly than they come. A connection that
 * has some and takes nothing of them for a time is closed. Node tells a response that the connection closed only where it is the one that
 * is being sent, and not one that waits behind it.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** The unsent answers of a server, by connection. */
export class UnsentAnswers {
  readonly #byConnection = new Map<Socket, Set<() => void>>();
  readonly #patienceMs: number;
  readonly #whenNone: (() => void)[] = [];

  /** A connection may take nothing for `patienceMs`, and at most for twice as long. */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  /** On how many connections there are some. */
  get connections(): number {
    return this.#byConnection.size;
  }

  /** Calls `left` once a response that is being written has left, or its connection is closed; at once where it has left already. */
  add(response: ServerResponse, left: () => void): void {
    const { socket } = response.req;
    if ((response.writableEnded && response.writableLength === 0) || socket.destroyed) {
      left();
      return;
    }
    const unsent = this.#byConnection.get(socket) ?? new Set();
    this.#byConnection.set(socket, unsent.add(left));
    // Node closes a connection whose time is over as long as nobody listens for that. What waits behind an answer that is still to come
    // nobody can take: the time begins when the connection is its own.
    if (response.socket === null) response.once('socket', () => this.#begin(socket, left));
    else socket.setTimeout(this.#patienceMs);
    // Before its own listener, which gives the connection the time that it may be idle.
    response.prependOnceListener('finish', () => this.#sent(socket, left));
  }

  /** The connection is closed: nothing more of it will leave. */
  closed(socket: Socket): void {
    const unsent = this.#byConnection.get(socket);
    this.#byConnection.delete(socket);
    for (const left of unsent ?? []) left();
    this.#tellIfNone();
  }

  /** Resolves once there is none, which may be now. */
  none(): Promise<void> {
    return new Promise((resolve) => {
      this.#whenNone.push(resolve);
      this.#tellIfNone();
    });
  }

  #begin(socket: Socket, left: () => void): void {
    if (this.#byConnection.get(socket)?.has(left) === true) socket.setTimeout(this.#patienceMs);
  }

  #sent(socket: Socket, left: () => void): void {
    const unsent = this.#byConnection.get(socket);
    if (unsent?.delete(left) !== true) return;
    left();
    // The next one begins its time by itself.
    socket.setTimeout(0);
    if (unsent.size > 0) return;
    this.#byConnection.delete(socket);
    this.#tellIfNone();
  }

  #tellIfNone(): void {
    if (this.#byConnection.size === 0) for (const resolve of this.#whenNone.splice(0)) resolve();
  }
}
