/**
 * Sends bytes that may be no request, and reports the outcome. Reuses a connection as long as the server keeps it open.
 */
import { connect, type Socket } from 'node:net';
import type { HttpCase } from './http-cases.js';

/** A status, a drop for lack of time, a connection that the server closed without an answer, or no answer in time. */
export type ShotOutcome = number | 'dropped' | 'closed' | 'hung';

/** Maximum time for an answer to complete bytes. */
const PATIENCE_MS = 15_000;
/** Part of an answer to a request that was dropped for lack of time. */
const DROP_FOR_TIME = /"reason":"(deadline-[a-z]+|queue-full|wait-too-long)"/;

export class HttpShooter {
  readonly #port: number;
  #socket: Socket | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  /** Sends one case and waits for its first answer. */
  shoot({ bytes, ends }: HttpCase): Promise<ShotOutcome> {
    return new Promise((resolve) => {
      const socket = this.#connection();
      let received = Buffer.alloc(0);
      const timer = setTimeout(() => settle('hung', false), PATIENCE_MS);
      const settle = (outcome: ShotOutcome, keep: boolean): void => {
        clearTimeout(timer);
        socket.off('data', take).off('close', closed);
        if (!keep) this.close();
        resolve(outcome);
      };
      const take = (chunk: Buffer): void => {
        received = Buffer.concat([received, chunk]);
        const status = finalStatus(received);
        if (status !== undefined) settle(status.outcome, status.keepsAlive && !ends);
      };
      const closed = (): void => settle('closed', false);
      socket.on('data', take).once('close', closed);
      if (ends) socket.end(bytes);
      else socket.write(bytes);
    });
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  #connection(): Socket {
    if (this.#socket === undefined || this.#socket.destroyed || !this.#socket.writable) {
      this.#socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
      // A reset is a closed connection, too; `close` comes after it.
      this.#socket.on('error', () => {});
    }
    return this.#socket;
  }
}

/** Outcome of the first complete response other than "100 Continue"; undefined before it is complete. */
function finalStatus(
  bytes: Buffer,
): { readonly outcome: number | 'dropped'; readonly keepsAlive: boolean } | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const head = bytes.toString('latin1', 0, headEnd).toLowerCase();
  const code = Number(head.slice(9, 12));
  if (code === 100) return finalStatus(bytes.subarray(headEnd + 4));
  const length = Number(/\r\ncontent-length: *(\d+)/.exec(head)?.[1] ?? 0);
  if (bytes.length < headEnd + 4 + length) return undefined;
  const dropped = code >= 503 && DROP_FOR_TIME.test(bytes.toString('latin1', headEnd));
  return { outcome: dropped ? 'dropped' : code, keepsAlive: !head.includes('\r\nconnection: close') };
}
