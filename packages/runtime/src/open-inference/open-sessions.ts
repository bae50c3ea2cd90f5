/**
 * The connections of HTTP/2 of a server. Before it closes, a client is told to go with its next stream (RFC 9113 §6.8): a GOAWAY that takes
 * every stream, and a ping, whose answer says that the client has read it and that all that it has sent before is here. The stream is held
 * back until then, because Node reads nothing more of a connection on which it has sent a GOAWAY and no stream is open.
 */
import {
  constants,
  type Http2SecureServer,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';

/** Memory of a connection is that of the bodies and answers on their way, which are bounded for all connections together. */
export const NO_BOUND_OF_A_SESSION = Number.MAX_SAFE_INTEGER;

/** The highest number that a stream of a client can have, so that none is refused. */
const LAST_STREAM = 2 ** 31 - 1;

/** Connections that are open. */
export class OpenSessions {
  readonly #streams = new Map<ServerHttp2Session, ReadonlySet<ServerHttp2Stream>>();
  readonly #told = new WeakSet<ServerHttp2Session>();
  readonly #held = new WeakMap<ServerHttp2Stream, Promise<void>>();
  #leaving = false;

  constructor(server: Http2Server | Http2SecureServer) {
    server.on('session', (session) => {
      const streams = new Set<ServerHttp2Stream>();
      this.#streams.set(session, streams);
      session.once('close', () => this.#streams.delete(session));
      session.on('error', () => session.destroy());
      // Before the server's own listener, which serves the stream.
      session.prependListener('stream', (stream) => {
        streams.add(stream);
        if (this.#leaving) this.#tellToGo(session, stream);
        stream.once('close', () => {
          streams.delete(stream);
          if (streams.size === 0 && this.#told.has(session)) session.close();
        });
      });
    });
  }

  /** How many connections are open. */
  get count(): number {
    return this.#streams.size;
  }

  /** On how many of them something is being answered. */
  get answering(): number {
    return [...this.#streams.values()].filter(({ size }) => size > 0).length;
  }

  /** The streams of an open connection that are open. */
  streamsOf(session: ServerHttp2Session): ReadonlySet<ServerHttp2Stream> {
    return this.#streams.get(session) ?? new Set();
  }

  /** From now on clients are told to go, each with its next stream. */
  leave(): void {
    this.#leaving = true;
  }

  /** Serves a stream, at once or when it is not held back any more. */
  serve(stream: ServerHttp2Stream, begin: () => void): void {
    const held = this.#leaving ? this.#held.get(stream) : undefined;
    if (held === undefined) begin();
    else void held.then(() => !stream.destroyed && begin());
  }

  /** Lets the streams end, and takes no more. */
  closeAll(): void {
    for (const session of this.#streams.keys()) session.close();
  }

  /** Cuts the streams off, which end as cancelled, and then their connections. */
  destroyAll(): void {
    for (const streams of this.#streams.values()) for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL);
    setImmediate(() => {
      for (const session of this.#streams.keys()) session.destroy();
    });
  }

  #tellToGo(session: ServerHttp2Session, stream: ServerHttp2Stream): void {
    if (this.#told.has(session) || session.closed) return;
    this.#told.add(session);
    session.goaway(constants.NGHTTP2_NO_ERROR, LAST_STREAM);
    const read = new Promise<void>((resolve) => session.ping(() => resolve()));
    this.#held.set(stream, read);
  }
}
