/**
 * One HTTP/1.1 connection that sends requests as bytes, one after another. It uses little processor time, because the
 * time of a load generator disturbs the measurement.
 */
import { connect, type Socket } from 'node:net';

/** A response; the body only if requested. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: Buffer;
}

interface Waiting {
  readonly resolve: (answer: HttpAnswer) => void;
  readonly reject: (error: Error) => void;
}

const HEAD_END = Buffer.from('\r\n\r\n');
const CHUNKS_END = Buffer.from('0\r\n\r\n');

/** A connection; `usable` until the server closes it. */
export class HttpConnection {
  readonly #socket: Socket;
  #waiting: Waiting | undefined;
  #received: readonly Buffer[] = [];
  #usable = true;

  constructor({ host, port }: { readonly host: string; readonly port: number }) {
    this.#socket = connect({ host, port, noDelay: true });
    this.#socket.on('data', (chunk) => this.#take(chunk));
    this.#socket.on('error', (error) => this.#end(error));
    this.#socket.on('close', () => this.#end(new Error('the connection was closed')));
  }

  get usable(): boolean {
    return this.#usable;
  }

  /** Sends a request and resolves with its response; rejects if the connection ends earlier. */
  send(request: Uint8Array): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#usable = false;
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#received = [...this.#received, chunk];
    const bytes = this.#received.length === 1 ? chunk : Buffer.concat(this.#received);
    const answer = wholeAnswer(bytes);
    if (answer === undefined) {
      this.#received = [bytes];
      return;
    }
    this.#received = [];
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (answer.closes) this.#usable = false;
    waiting?.resolve(answer);
  }

  #end(error: Error): void {
    this.#usable = false;
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }
}

/** Response in `bytes`; undefined while it is incomplete. */
function wholeAnswer(bytes: Buffer): (HttpAnswer & { readonly closes: boolean }) | undefined {
  const headEnd = bytes.indexOf(HEAD_END);
  if (headEnd < 0) return undefined;
  const head = bytes.toString('latin1', 0, headEnd).toLowerCase();
  const [, length] = /\r\ncontent-length: *(\d+)/.exec(head) ?? [];
  const body = bytes.subarray(headEnd + HEAD_END.length);
  const whole =
    length === undefined ? body.subarray(-CHUNKS_END.length).equals(CHUNKS_END) : body.length >= Number(length);
  if (!whole) return undefined;
  return { status: Number(head.slice(9, 12)), body, closes: head.includes('\r\nconnection: close') };
}
