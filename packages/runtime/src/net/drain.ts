/**
 * Draining: a port first asks clients to reconnect elsewhere while it still serves them (`connection: close`, GOAWAY),
 * then it closes.
 *
 * Over HTTP/2, the next stream of a client triggers a GOAWAY that still accepts every stream, then a ping (RFC 9113
 * §6.8). The answer to the ping shows that the client has read the GOAWAY and that everything the client sent before
 * has arrived. The stream is held until then, because Node reads nothing more after a GOAWAY if no stream is open.
 */
import { executionAsyncResource } from 'node:async_hooks';
import {
  constants,
  type Http2SecureServer,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { STALLED_MS } from '../data-plane/bytes-in-flight.js';
import { noPressure, type Pressure } from './accept-pressure.js';
import { linkOf } from './backpressure.js';
import { isSlowRequest, MOST_FIRST_REQUESTS, type PortLimits } from './connection-limit.js';
import { StreamCredit, TurnNumber } from './stream-credit.js';

/** Requests are accepted while `serving` and `draining`; a server is ready only while `serving`. */
export type ServingPhase = 'starting' | 'serving' | 'draining' | 'closing';

/** A new connection may have its share of all streams, within these bounds. */
export const MOST_STREAMS_PER_CONNECTION = 256;
const LEAST_STREAMS_PER_CONNECTION = 64;
/** A connection is closed after this many refused streams in a row. */
const MOST_REFUSED = 100;
/** Idle connections among which a full port chooses. */
const MOST_LOOKS = 16;
/** Streams among which a full port looks for a slow request. */
const MOST_SLOW_LOOKS = 64;
/** Highest stream number: a GOAWAY with it refuses no stream. */
const LAST_STREAM = 2 ** 31 - 1;
const LOOK_MS = 10;
/** A connection whose session has ended is cut off after this time (up to twice that). */
const LINGER_MS = 60_000;

export async function drained(idleConnections: () => number, withinMs: number): Promise<void> {
  const endsAtMs = performance.now() + withinMs;
  while (idleConnections() > 0 && performance.now() < endsAtMs) await delay(LOOK_MS);
}

const nativeSessions = new FinalizationRegistry<object>(() => {});

/**
 * Keeps the native session until the streams that it served are collected. If the session is collected before a stream
 * whose header block is incomplete or refused, an assertion ends the process. A served stream refers to `streams` by
 * its `close` listener.
 */
function outliveStreams(session: ServerHttp2Session, streams: object): void {
  // SETTINGS precede the first stream. The native session calls this listener, so it is the listener's asynchronous
  // resource.
  session.once('remoteSettings', () => {
    const native = executionAsyncResource();
    session.once('close', () => {
      // The native session refers to `session`, which must no longer refer to `streams`.
      session.removeAllListeners().on('error', ignore);
      // Until then, Node itself keeps the streams that it is freeing.
      setImmediate(() => nativeSessions.register(streams, native));
    });
  });
}

function ignore(): void {}

/** Node destroys no session whose queued writes wait, and then no event tells of the end. */
function hasEnded({ closed, destroyed }: ServerHttp2Session, { streams }: Connection): boolean {
  return destroyed || (closed && streams.size === 0);
}

interface Connection {
  readonly socket: Socket;
  readonly streams: ReadonlySet<ServerHttp2Stream>;
  readonly credit: StreamCredit;
  /** Number of streams whose requests are not complete. */
  unfinished: number;
}

interface SessionOptions {
  readonly windowBytes: number;
  readonly limits: PortLimits;
  readonly pressure?: Pressure | undefined;
  readonly nowMs?: () => number;
}

/** HTTP/2 sessions of a port. A session may have at most as many streams as are free, so no session takes all. */
export class OpenSessions {
  /** A session is removed when its socket is closed. */
  readonly #connections = new Map<ServerHttp2Session, Connection>();
  readonly #limits: PortLimits;
  readonly #nowMs: () => number;
  /** Sessions without a stream, and those that are destroyed, the oldest first. */
  readonly #idle = new Set<ServerHttp2Session>();
  /** Arrival times of streams whose requests are not complete, the oldest first. */
  readonly #unfinished = new Map<ServerHttp2Stream, number>();
  #streamCount = 0;
  readonly #turn = new TurnNumber();
  /** Time when a session's last stream ended, or the session began. */
  readonly #idleSinceMs = new WeakMap<ServerHttp2Session, number>();
  readonly #goneAway = new WeakSet<ServerHttp2Session>();
  readonly #held = new WeakMap<ServerHttp2Stream, Promise<void>>();
  #draining = false;

  /** Call before the server accepts connections. Each connection gets a window of `windowBytes`. */
  constructor(
    server: Http2Server | Http2SecureServer,
    { windowBytes, limits, pressure = noPressure, nowMs = () => performance.now() }: SessionOptions,
  ) {
    this.#limits = limits;
    this.#nowMs = nowMs;
    server.on('session', (session) => {
      const streams = new Set<ServerHttp2Stream>();
      let refused = 0;
      // A half-closed client could not extend the window for an answer. `once` returns the socket itself: `session.socket`
      // throws after the end of the session.
      const socket = session.socket.once('end', () => session.destroy());
      const credit = new StreamCredit();
      const connection: Connection = { socket, streams, credit, unfinished: 0 };
      this.#connections.set(session, connection);
      this.#idle.add(session);
      this.#idleSinceMs.set(session, this.#nowMs());
      // nghttp2 itself refuses streams above this share, at a far lower cost.
      const share = Math.floor(limits.mostStreams / this.#connections.size);
      const mostStreams = Math.min(Math.max(share, LEAST_STREAMS_PER_CONNECTION), MOST_STREAMS_PER_CONNECTION);
      let isProven = !pressure.isHigh;
      const granted = isProven ? mostStreams : MOST_FIRST_REQUESTS;
      if (granted < MOST_STREAMS_PER_CONNECTION) session.settings({ maxConcurrentStreams: granted });
      let isEnding = false;
      const look = setInterval(() => {
        if (isEnding) socket.destroy();
        isEnding = hasEnded(session, connection);
      }, LINGER_MS).unref();
      session.once('close', () => {
        clearInterval(look);
        this.#connections.delete(session);
        this.#idle.delete(session);
      });
      outliveStreams(session, streams);
      session.on('error', () => session.destroy());
      session.setLocalWindowSize(windowBytes);
      // Runs before the server's own listener, which serves the stream.
      session.prependListener('stream', (stream, _headers, flags: number) => {
        const isFull = streams.size >= limits.mostStreams - this.#streamCount;
        if (isFull && !(streams.size < LEAST_STREAMS_PER_CONNECTION && this.#closeStalled())) {
          this.#refuse(session, stream, ++refused);
          return;
        }
        refused = 0;
        const turn = this.#turn.now;
        streams.add(stream);
        // An unread body never ends. A request without a body is complete with its headers.
        if ((flags & constants.NGHTTP2_FLAG_END_STREAM) === 0) {
          this.#unfinished.set(stream, this.#nowMs());
          connection.unfinished++;
          stream.once('end', () => this.#finish(stream, connection));
        }
        this.#idle.delete(session);
        this.#streamCount++;
        if (this.#draining) this.#goAway(session, stream);
        stream.on('close', () => {
          streams.delete(stream);
          this.#finish(stream, connection);
          this.#streamCount--;
          if (!credit.count(stream, turn === this.#turn.now)) this.#calm(session);
          else if (!isProven && credit.isGood && !session.destroyed) {
            isProven = true;
            session.settings({ maxConcurrentStreams: mostStreams });
          }
          if (streams.size === 0) this.#becameIdle(session);
        });
      });
    });
  }

  get count(): number {
    return this.#connections.size;
  }

  get answering(): number {
    return [...this.#connections.values()].filter(({ streams }) => streams.size > 0).length;
  }

  /** Time without a stream; 0 while there is one. */
  idleMs(session: ServerHttp2Session): number {
    if ((this.#connections.get(session)?.streams.size ?? 0) > 0) return 0;
    return this.#nowMs() - (this.#idleSinceMs.get(session) ?? this.#nowMs());
  }

  /** Sends each client a GOAWAY on its next stream. */
  drain(): void {
    this.#draining = true;
  }

  /**
   * Closes a connection without a stream; false if there is none. Looks at the oldest of them: connections without
   * queued bytes come first, and of these the ended ones.
   */
  closeIdle(): boolean {
    const ranked = [...this.#oldestIdle()].map(([session, connection]) => ({
      session,
      rank: linkOf(connection).held > 0 ? 0 : hasEnded(session, connection) ? 2 : 1,
    }));
    const best = Math.max(...ranked.map(({ rank }) => rank));
    const session = ranked.find(({ rank }) => rank === best)?.session;
    if (session === undefined) return false;
    this.#idle.delete(session);
    this.cut(session);
    return true;
  }

  /** Closes a connection all of whose requests arrive slowly; false if it finds none. */
  closeSlow(): boolean {
    let looks = MOST_SLOW_LOOKS;
    for (const [stream, sinceMs] of this.#unfinished) {
      if (looks-- === 0) return false;
      const session = stream.session as ServerHttp2Session;
      const connection = this.#connections.get(session);
      // A connection that has brought much before is kept.
      const isSlow = isSlowRequest(this.#nowMs() - sinceMs, connection?.socket.bytesRead ?? 0);
      if (connection === undefined || !isSlow || connection.unfinished < connection.streams.size) continue;
      this.#limits.onRefusal('connection');
      this.cut(session);
      return true;
    }
    return false;
  }

  /** Sends a GOAWAY if the client reads. `destroy` of the session alone would wait for queued writes. */
  cut(session: ServerHttp2Session): void {
    session.destroy();
    this.#connections.get(session)?.socket.destroy();
  }

  /** True if calls of the stream's connection may begin before the rest of its input is read. */
  isGood({ session }: Pick<ServerHttp2Stream, 'session'>): boolean {
    return session !== undefined && this.#connections.get(session as ServerHttp2Session)?.credit.isGood === true;
  }

  /** Calls `begin` at once, or when the stream is no longer held; never for a refused stream. */
  serve(stream: ServerHttp2Stream, begin: () => void): void {
    if (stream.closed || stream.destroyed) return;
    const held = this.#draining ? this.#held.get(stream) : undefined;
    if (held === undefined) begin();
    else void held.then(() => !stream.destroyed && begin());
  }

  /** Lets open streams end and accepts no new ones. */
  closeAll(): void {
    for (const session of this.#connections.keys()) session.close();
  }

  destroyAll(): void {
    for (const { streams } of this.#connections.values()) {
      for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL);
    }
    setImmediate(() => {
      for (const session of this.#connections.keys()) this.cut(session);
    });
  }

  /** Not all of them: a flood of connections would make each search long. */
  *#oldestIdle(): Generator<[ServerHttp2Session, Connection]> {
    let looks = 0;
    for (const session of this.#idle) {
      const connection = this.#connections.get(session);
      if (connection === undefined || connection.socket.destroyed) this.#idle.delete(session);
      else {
        yield [session, connection];
        if (++looks === MOST_LOOKS) return;
      }
    }
  }

  /** Makes room for a stream: refuses the oldest stream whose request does not end. Its client may retry. */
  #closeStalled(): boolean {
    for (const [stream, sinceMs] of this.#unfinished) {
      if (this.#nowMs() - sinceMs < STALLED_MS) return false;
      this.#finish(stream, this.#connections.get(stream.session as ServerHttp2Session));
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
      return true;
    }
    return false;
  }

  #finish(stream: ServerHttp2Stream, connection: Connection | undefined): void {
    if (this.#unfinished.delete(stream) && connection !== undefined) connection.unfinished--;
  }

  #refuse(session: ServerHttp2Session, stream: ServerHttp2Stream, inARow: number): void {
    stream.on('error', () => {});
    if (inARow < MOST_REFUSED) this.#limits.onRefusal('stream');
    stream.close(constants.NGHTTP2_REFUSED_STREAM);
    if (inARow !== MOST_REFUSED) return;
    this.#limits.onRefusal('calm');
    session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    // If destroyed at once, a TLS session would not send the GOAWAY.
    setImmediate(() => session.destroy());
  }

  #becameIdle(session: ServerHttp2Session): void {
    if (this.#connections.has(session)) this.#idle.add(session);
    this.#idleSinceMs.set(session, this.#nowMs());
    if (this.#goneAway.has(session)) session.close();
  }

  /** Closes a connection at once, so that the streams in the rest of its input cost nothing. */
  #calm(session: ServerHttp2Session): void {
    if (session.destroyed) return;
    this.#limits.onRefusal('calm');
    session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    session.destroy();
  }

  #goAway(session: ServerHttp2Session, stream: ServerHttp2Stream): void {
    if (this.#goneAway.has(session) || session.closed) return;
    this.#goneAway.add(session);
    session.goaway(constants.NGHTTP2_NO_ERROR, LAST_STREAM);
    const read = new Promise<void>((resolve) => session.ping(() => resolve()));
    this.#held.set(stream, read);
  }
}
