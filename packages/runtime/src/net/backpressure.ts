/**
 * Write back-pressure: answers to clients that read slowly or not at all. Large answers are written in pieces, so that
 * progress shows. A client that takes too little for too long is cut off.
 *
 * Over HTTP/2 and gRPC, the progress of the connection counts, too.
 */
import type { ServerResponse } from 'node:http';
import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { Socket } from 'node:net';

/** Over HTTP/1.1, a client that takes a piece of this size within `patienceMs` makes progress. */
const PIECE_BYTES = 1024 * 1024;

export interface AnswerSink {
  write(chunk: string | Uint8Array, encoding?: BufferEncoding): boolean;
  end(chunk?: string | Uint8Array, encoding?: BufferEncoding): unknown;
  cork(): void;
  uncork(): void;
  once(event: 'drain', listener: () => void): unknown;
}

/** Writes an answer of `length` bytes: a small one at once, a large one in pieces. Texts are encoded by `encoding`. */
export function writeAnswer(
  sink: AnswerSink,
  parts: readonly (string | Uint8Array)[],
  length: number,
  encoding: BufferEncoding = 'utf8',
): void {
  if (length > PIECE_BYTES) {
    writeInPieces(sink, parts.map(bytesOf));
    return;
  }
  const last = parts.length - 1;
  if (last > 0) sink.cork();
  for (let at = 0; at < last; at++) sink.write(parts[at] as string | Uint8Array, encoding);
  sink.end(parts[last], encoding);
  if (last > 0) sink.uncork();
}

function bytesOf(part: string | Uint8Array): Uint8Array {
  return typeof part === 'string' ? Buffer.from(part) : part;
}

function writeInPieces(sink: AnswerSink, parts: readonly Uint8Array[]): void {
  const pieces = piecesOf(parts);
  const more = () => {
    for (let { value, done } = pieces.next(); !done; { value, done } = pieces.next()) {
      if (value !== undefined && !sink.write(value)) {
        sink.once('drain', more);
        return;
      }
    }
    sink.end();
  };
  more();
}

function* piecesOf(parts: readonly Uint8Array[]): Generator<Uint8Array, undefined> {
  for (const part of parts) {
    for (let at = 0; at < part.length; at += PIECE_BYTES) yield part.subarray(at, at + PIECE_BYTES);
  }
}

/** Unsent answers over HTTP/1.1, by connection. */
export class SlowReaders {
  readonly #byConnection = new Map<Socket, Set<() => void>>();
  readonly #patienceMs: number;
  readonly #whenNone: (() => void)[] = [];

  /** Closes a connection without progress for `patienceMs` (up to twice that). */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  get connections(): number {
    return this.#byConnection.size;
  }

  /**
   * Calls `sent` once a response has left or its connection is closed. Node reports a close only to the response being
   * sent.
   */
  watch(response: ServerResponse, sent: () => void): void {
    const { socket } = response.req;
    if ((response.writableEnded && response.writableLength === 0) || socket.destroyed) {
      sent();
      return;
    }
    const unsent = this.#byConnection.get(socket) ?? new Set();
    this.#byConnection.set(socket, unsent.add(sent));
    // Node times the connection out. The time of a queued response begins when it gets the connection.
    if (response.socket === null) response.once('socket', () => this.#begin(socket, sent));
    else socket.setTimeout(this.#patienceMs);
    // Runs before Node's listener, which sets the keep-alive timeout.
    response.prependOnceListener('finish', () => this.#sent(socket, sent));
  }

  closed(socket: Socket): void {
    const unsent = this.#byConnection.get(socket);
    this.#byConnection.delete(socket);
    for (const sent of unsent ?? []) sent();
    this.#resolveIfNone();
  }

  none(): Promise<void> {
    return new Promise((resolve) => {
      this.#whenNone.push(resolve);
      this.#resolveIfNone();
    });
  }

  #begin(socket: Socket, sent: () => void): void {
    if (this.#byConnection.get(socket)?.has(sent) === true) socket.setTimeout(this.#patienceMs);
  }

  #sent(socket: Socket, sent: () => void): void {
    const unsent = this.#byConnection.get(socket);
    if (unsent?.delete(sent) !== true) return;
    sent();
    socket.setTimeout(0);
    if (unsent.size > 0) return;
    this.#byConnection.delete(socket);
    this.#resolveIfNone();
  }

  #resolveIfNone(): void {
    if (this.#byConnection.size === 0) for (const resolve of this.#whenNone.splice(0)) resolve();
  }
}

/** Progress required within `patienceMs`. Keep-alive traffic stays below this. */
const LEAST_BYTES = 64 * 1024;

const connections = new WeakMap<ServerHttp2Session, SlowStreams>();

/**
 * Watches the answer of a stream. The client has to read 64 KiB, of any streams of the connection, within `patienceMs`
 * (up to twice that). If it does but this stream makes no progress, the stream may wait `patienceMs` × (waiting answers
 * + 2). A blocked connection is closed.
 */
export function watchSlowStream(stream: ServerHttp2Stream, patienceMs: number): void {
  const { session } = stream as { readonly session: ServerHttp2Session | undefined };
  if (session === undefined || session.destroyed || stream.destroyed) return;
  let connection = connections.get(session);
  if (connection === undefined) {
    connection = new SlowStreams(session, patienceMs);
    connections.set(session, connection);
  }
  connection.add(stream);
}

/** Timer ticks since the last progress, and the maximum number of answers that waited meanwhile. */
interface Waiting {
  ticks: number;
  most: number;
}

class SlowStreams {
  readonly #session: ServerHttp2Session;
  readonly #patienceMs: number;
  readonly #waiting = new Map<ServerHttp2Stream, Waiting>();
  #timer: NodeJS.Timeout | undefined;
  #taken = 0;

  constructor(session: ServerHttp2Session, patienceMs: number) {
    this.#session = session;
    this.#patienceMs = patienceMs;
    session.once('close', () => clearTimeout(this.#timer));
  }

  add(stream: ServerHttp2Stream): void {
    const waiting: Waiting = { ticks: 0, most: 1 };
    this.#waiting.set(stream, waiting);
    // An answer written in one piece shows no progress of its own.
    if (!stream.writableEnded) {
      stream.on('drain', () => {
        waiting.ticks = 0;
      });
    }
    stream.on('close', () => this.#waiting.delete(stream));
    // One timer per connection; it stops itself.
    if (this.#timer !== undefined) return;
    this.#taken = linkOf(this.#session).taken;
    this.#timer = setTimeout(() => this.#tick(), this.#patienceMs).unref();
  }

  #tick(): void {
    if (this.#waiting.size === 0 || this.#session.destroyed) {
      this.#timer = undefined;
      return;
    }
    const { taken, held } = linkOf(this.#session);
    const isTaking = taken - this.#taken >= LEAST_BYTES;
    this.#taken = taken;
    for (const [stream, waiting] of this.#waiting) {
      waiting.ticks++;
      waiting.most = Math.max(waiting.most, this.#waiting.size);
      // The first tick covers only a part of `patienceMs`.
      const isOver = isTaking ? waiting.ticks > waiting.most + 1 : waiting.ticks > 1;
      if (!isOver) continue;
      // Bytes handed to the connection can be discarded only by closing it.
      if (!isTaking && held > 0) {
        closeAtOnce(this.#session);
        return;
      }
      stream.close(constants.NGHTTP2_CANCEL);
    }
    this.#timer?.refresh();
  }
}

/**
 * Bytes that the operating system has taken, and bytes still queued. Node counts a large write only when it is
 * complete, so this reads the queue of the handle (under TLS, of the underlying socket).
 */
export function linkOf({ socket }: Pick<ServerHttp2Session, 'socket'>): {
  readonly taken: number;
  readonly held: number;
} {
  const { _parent: beneath } = socket as { readonly _parent?: Socket | null };
  const link = (beneath ?? socket) as Pick<Socket, 'bytesWritten'> & { readonly _handle?: { writeQueueSize?: number } };
  const held = link._handle?.writeQueueSize ?? 0;
  return { taken: link.bytesWritten - held, held };
}

/** Destroying the session would wait for queued writes. */
function closeAtOnce({ socket }: ServerHttp2Session): void {
  Socket.prototype.destroy.call(socket);
}
