/** An HTTP port: HTTP/1.1, and over TLS also HTTP/2 (by ALPN). Slow handshakes, headers and bodies time out. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { type AcceptPressure, noPressure, type Pressure } from './accept-pressure.js';
import type { AsideTurns } from './aside-turns.js';
import { SlowReaders } from './backpressure.js';
import {
  http2Limits,
  limitConnections,
  MOST_FIRST_REQUESTS,
  MOST_PIPELINED,
  MOST_WAITING_BYTES,
  type PortLimits,
} from './connection-limit.js';
import { drained, MOST_STREAMS_PER_CONNECTION, OpenSessions } from './drain.js';
import { FairTurns } from './fair-turns.js';
import { Http1Exchange, Http2Exchange, type HttpExchange } from './http-call.js';
import { Http1Connections } from './http1-connections.js';
import { type Listening, type ListeningPlace, listen, placeText, SOCKETS_PER_PORT } from './listen.js';
import { PipelinedCalls } from './pipelined-calls.js';
import { crowded, notHttp1, rawAnswer, refusal, refuseAndClose, refuseRaw } from './refusal.js';
import { type ShownIdentity, showChanges, strictTls } from './tls.js';

const FIRST_BYTES_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 65_000;
/** Connections with waiting answers among which a full port looks for one of its own. */
const MOST_ASIDE_LOOKS = 16;
/** Window of a body; with the default of 64 KiB, large tensors would wait for many round trips. */
const WINDOW_BYTES = 1024 * 1024;

export interface HttpServerOptions {
  readonly place: ListeningPlace;
  readonly tls?: ShownIdentity | undefined;
  readonly requestTimeoutMs: number;
  readonly limits: PortLimits;
  /** Watches the new clients of the port. */
  readonly pressure?: AcceptPressure;
  /** Answers that wait while new clients wait. */
  readonly aside?: AsideTurns;
  readonly nowMs?: () => number;
}

export interface RunningHttpServer {
  readonly url: string;
  /** Asks clients to reconnect and still serves them; resolves once no open connection is idle, or after `withinMs`. */
  drain(withinMs: number): Promise<void>;
  /** Accepts no new connections, waits at most `timeoutMs` for running requests, then cuts their connections. */
  close(timeoutMs: number): Promise<void>;
}

type HttpServer = Server | Http2SecureServer;

export async function startHttpServer(
  options: HttpServerOptions,
  serve: (exchange: HttpExchange) => void,
): Promise<RunningHttpServer> {
  const { place, tls, requestTimeoutMs, pressure } = options;
  const server = newServer(tls, requestTimeoutMs);
  const connections = new Connections(server, options, serve);
  const protocol = tls === undefined ? 'http' : 'https';
  const mostPerTurn = SOCKETS_PER_PORT[protocol];
  // A port with one socket accepts a connection in each turn in which a client comes.
  if (mostPerTurn > 1) pressure?.watch(server, mostPerTurn);
  const bound = await listen(server, place, protocol);
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${placeText(bound)}`,
    drain: (withinMs) => connections.drain(withinMs),
    close: (timeoutMs) => connections.close(bound, timeoutMs),
  };
}

function newServer(tls: ShownIdentity | undefined, requestTimeoutMs: number): HttpServer {
  const http1 = {
    requestTimeout: requestTimeoutMs,
    headersTimeout: Math.min(FIRST_BYTES_TIMEOUT_MS, requestTimeoutMs),
    connectionsCheckingInterval: Math.min(1000, requestTimeoutMs),
    keepAliveTimeout: KEEP_ALIVE_MS,
  };
  if (tls === undefined) return createServer(http1);
  const server = createSecureServer({
    ...tls.current,
    ...strictTls,
    allowHTTP1: true,
    handshakeTimeout: FIRST_BYTES_TIMEOUT_MS,
    settings: { initialWindowSize: WINDOW_BYTES, maxConcurrentStreams: MOST_STREAMS_PER_CONNECTION },
    ...http2Limits,
  });
  // The HTTP/1.1 part of a secure server reads its options only from properties.
  Object.assign(server, http1, { requireHostHeader: true });
  showChanges(server, tls);
  server.on('tlsClientError', (_, socket) => socket.destroy());
  return server;
}

/** Node's parser accepts other HTTP versions. It also drops a second Host header, which a proxy may have used. */
function isHttp1({ httpVersionMajor, rawHeaders }: IncomingMessage): boolean {
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++;
  }
  return httpVersionMajor === 1 && hosts <= 1;
}

class Connections {
  readonly #server: HttpServer;
  readonly #limits: PortLimits;
  readonly #requestTimeoutMs: number;
  readonly #serve: (exchange: HttpExchange) => void;
  readonly #sockets = new Set<Socket>();
  readonly #sessions: OpenSessions;
  readonly #http1: Http1Connections;
  readonly #slowReaders: SlowReaders;
  readonly #pressure: Pressure;
  readonly #aside: AsideTurns | undefined;
  readonly #turns: FairTurns;
  readonly #closeHandshakes: () => void;

  constructor(
    server: HttpServer,
    { tls, requestTimeoutMs, limits, pressure, aside, nowMs = () => performance.now() }: HttpServerOptions,
    serve: (exchange: HttpExchange) => void,
  ) {
    this.#server = server;
    this.#limits = limits;
    this.#requestTimeoutMs = requestTimeoutMs;
    this.#serve = serve;
    this.#pressure = pressure ?? noPressure;
    this.#aside = aside;
    this.#turns = new FairTurns(this.#pressure);
    this.#http1 = new Http1Connections(nowMs);
    this.#slowReaders = new SlowReaders(requestTimeoutMs);
    this.#watchSockets();
    this.#sessions = new OpenSessions(server as Http2SecureServer, {
      windowBytes: WINDOW_BYTES,
      limits,
      pressure: this.#pressure,
      nowMs,
    });
    (server as Http2SecureServer).on('session', (session) => {
      // A silent session accepts no new requests. Running requests still get their answers.
      session.setTimeout(KEEP_ALIVE_MS, () => session.close());
    });
    server.on('request', (request, response) => this.#begin(request, response, false));
    // Node would answer unknown expectations with an empty 417; HTTP lets a server ignore them (RFC 9110 §10.1.1).
    server.on('checkExpectation', (request, response) => this.#begin(request, response, false));
    server.on('checkContinue', (request, response) => this.#begin(request, response, true));
    server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) =>
      refuseRaw(error, socket, this.#http1.get(socket as Socket)?.last),
    );
    this.#closeHandshakes = limitConnections(server, {
      limits,
      closeOther: () => this.#makePlace(),
      words: tls === undefined ? rawAnswer(refusal(crowded())) : undefined,
    });
  }

  drain(withinMs: number): Promise<void> {
    this.#sessions.drain();
    return drained(() => this.#sockets.size - this.#http1.answering - this.#sessions.answering, withinMs);
  }

  async close(listening: Listening, timeoutMs: number): Promise<void> {
    const cutOff = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, timeoutMs);
    const ended = listening.close();
    this.#sessions.closeAll();
    this.#closeHandshakes();
    for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy();
    while (this.#slowReaders.connections > 0) await this.#slowReaders.none();
    this.#server.close();
    await ended;
    clearTimeout(cutOff);
  }

  #watchSockets(): void {
    this.#server.prependListener('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    const isSecure = 'setSecureContext' in this.#server;
    this.#server.prependListener(isSecure ? 'secureConnection' : 'connection', (socket: Socket | TLSSocket) => {
      if ('alpnProtocol' in socket && socket.alpnProtocol === 'h2') return;
      const calls = new PipelinedCalls({
        begin: (call) => this.#turns.begin(socket, call),
        hasUnsent: () => socket.writableLength > 0,
        bytesRead: () => socket.bytesRead,
      });
      this.#http1.add(socket, calls);
      socket.once('close', () => {
        this.#http1.forget(socket);
        calls.closed();
        this.#slowReaders.closed(socket);
      });
    });
  }

  #makePlace(): boolean {
    if (this.#http1.closeIdle() || this.#sessions.closeIdle()) return true;
    if (!this.#http1.refuseSlow() && !this.#closeAside()) return this.#sessions.closeSlow() || this.#http1.closeIdle(0);
    this.#limits.onRefusal('connection');
    return true;
  }

  /** Closes a connection over HTTP/1.1 whose answer waits aside; false if it finds none. */
  #closeAside(): boolean {
    let looks = MOST_ASIDE_LOOKS;
    for (const connection of this.#aside?.connections ?? []) {
      if (looks-- === 0) return false;
      if (this.#http1.get(connection as Socket) === undefined) continue;
      this.#aside?.drop(connection);
      (connection as Socket).destroy();
      return true;
    }
    return false;
  }

  #begin(
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
    awaitsContinue: boolean,
  ): void {
    if ('stream' in response) this.#beginHttp2(request as Http2ServerRequest, response, awaitsContinue);
    else this.#beginHttp1(request as IncomingMessage, response, awaitsContinue);
  }

  #beginHttp1(request: IncomingMessage, response: ServerResponse, awaitsContinue: boolean): void {
    const { socket } = request;
    const connection = this.#http1.get(socket);
    // Ignore pipelined requests of a client that is gone or was refused.
    if (connection === undefined || connection.isRefused || socket.destroyed) return;
    const { calls } = connection;
    const answered = this.#http1.noteRequest(connection, socket, response);
    const most = connection.isAnswered || !this.#pressure.isHigh ? MOST_PIPELINED : MOST_FIRST_REQUESTS;
    const isPipelined = calls.unanswered >= most || calls.waitingBytes > MOST_WAITING_BYTES;
    if (isPipelined || !isHttp1(request)) {
      connection.isRefused = true;
      calls.add(response, answered);
      if (isPipelined) this.#limits.onRefusal('pipelined');
      // The refusal would come after these answers, and nothing would tell that the client is gone.
      if (this.#aside?.has(socket) === true) {
        socket.destroy();
        return;
      }
      refuseAndClose(response, isPipelined ? crowded() : notHttp1());
      return;
    }
    const exchange = new Http1Exchange(request, response, {
      awaitsContinue,
      slowReaders: this.#slowReaders,
      pressure: this.#pressure,
    });
    calls.add(response, answered, () => {
      if (!socket.destroyed) this.#serve(exchange);
    });
  }

  #beginHttp2(request: Http2ServerRequest, response: Http2ServerResponse, awaitsContinue: boolean): void {
    const { stream } = response;
    // A reset stream emits an error. The call learns of the reset by `close`.
    stream.on('error', () => {});
    const timeoutMs = this.#requestTimeoutMs;
    const begin = () =>
      this.#sessions.serve(stream, () => {
        this.#serve(new Http2Exchange(request, response, { awaitsContinue, timeoutMs }));
      });
    this.#turns.begin(stream.session ?? stream, begin, this.#sessions.isGood(stream));
  }
}
