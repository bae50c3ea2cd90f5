/**
 * The HTTP port: HTTP/1.1 and HTTP/2 side by side, over TLS where there is an identity for it. Slow handshakes, headers and bodies time
 * out; closing stops accepting, lets running requests end and cuts off what is left after a time.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import {
  createServer as createHttp2Server,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { MetricsPage } from '../observe/metrics-page.js';
import { type ExchangeSetting, exchange } from './exchange.js';
import { byAgreement, byPreface } from './http-versions.js';
import { type ListeningPlace, placeText, refusalToListen } from './listening-place.js';
import { NO_BOUND_OF_A_SESSION, OpenSessions } from './open-sessions.js';
import { refuseRaw } from './raw-refusal.js';
import { RouteTable, routes } from './routes.js';
import type { ServingSetting } from './serving-setting.js';
import type { ShownIdentity } from './tls-identity.js';
import type { TrafficShare } from './traffic-share.js';
import { UnsentAnswers } from './unsent-answers.js';
import { vacated } from './vacated.js';
import { http1Wire, http2Wire } from './wire.js';

const FIRST_BYTES_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 65_000;
const MOST_STREAMS_PER_CONNECTION = 1000;
/** Bytes of a body on the way before they are read: large tensors would wait for the client after every 64 KiB. */
const WINDOW_BYTES = 1024 * 1024;

/** What the port answers beside the setting of all requests. */
export interface HttpServerOptions {
  readonly place: ListeningPlace;
  readonly tls: ShownIdentity | undefined;
  readonly metrics: MetricsPage | undefined;
  readonly share: TrafficShare | undefined;
}

/** A port that accepts requests. */
export interface RunningHttpServer {
  readonly url: string;
  /** Tells clients to go and serves them on; resolves once each open connection has a request that waits for its answer, or after `withinMs`. */
  leave(withinMs: number): Promise<void>;
  /** Stops accepting, waits for running requests at most `timeoutMs`, then cuts their connections. */
  close(timeoutMs: number): Promise<void>;
}

/** Starts to listen; rejects with AppError PORT_IN_USE, or WRONG_USAGE when the address cannot be listened on. */
export async function startHttpServer(
  serving: ServingSetting,
  { place, tls, metrics, share }: HttpServerOptions,
): Promise<RunningHttpServer> {
  const setting: ExchangeSetting = { ...serving, share, table: new RouteTable(routes(serving.version, metrics)) };
  const http2 = http2Server(setting);
  const answering = new Map<Duplex, ServerResponse>();
  const unsent = new UnsentAnswers(serving.requestTimeoutMs);
  const http1 = http1Server(setting, tls, { answering, unsent });
  const sockets = openSockets(http1);
  const timeoutMs = Math.min(FIRST_BYTES_TIMEOUT_MS, serving.requestTimeoutMs);
  if (tls === undefined) byPreface(http1, http2.server, timeoutMs);
  else byAgreement(http1, http2.server);
  await listening(http1, place);
  const { address, port } = http1.address() as AddressInfo;
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${placeText({ host: address, port })}`,
    leave: (withinMs) => {
      http2.sessions.leave();
      return vacated(() => sockets.size - answering.size - http2.sessions.answering, withinMs);
    },
    close: (within) => closed({ http1, http2, sockets, unsent }, within),
  };
}

/** What is under way over HTTP/1.1: what is being answered on its connections, and what has not left of what was answered. */
interface Http1Answers {
  readonly answering: Map<Duplex, ServerResponse>;
  readonly unsent: UnsentAnswers;
}

function http1Server(
  setting: ExchangeSetting,
  tls: ShownIdentity | undefined,
  { answering, unsent }: Http1Answers,
): Server | TlsServer {
  const { requestTimeoutMs } = setting;
  const options = {
    requestTimeout: requestTimeoutMs,
    headersTimeout: Math.min(FIRST_BYTES_TIMEOUT_MS, requestTimeoutMs),
    connectionsCheckingInterval: Math.min(1000, requestTimeoutMs),
    keepAliveTimeout: KEEP_ALIVE_MS,
  };
  const server = tls === undefined ? createServer(options) : tlsServer(options, tls);
  server.prependListener(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    socket.once('close', () => {
      answering.delete(socket);
      unsent.closed(socket);
    });
  });
  const serve = (awaitsContinue: boolean) => (request: IncomingMessage, response: ServerResponse) => {
    answering.set(request.socket, response);
    response.once('close', () => {
      if (answering.get(request.socket) === response) answering.delete(request.socket);
    });
    void exchange(setting, http1Wire(request, response, { awaitsContinue, unsent }));
  };
  server.on('request', serve(false));
  // Node would refuse unknown expectations with an empty 417; HTTP lets a server ignore them (RFC 9110 §10.1.1).
  server.on('checkExpectation', serve(false));
  server.on('checkContinue', serve(true));
  server.on('clientError', (error, socket) => refuseRaw(error, socket, answering.get(socket)));
  return server;
}

function tlsServer(options: object, tls: ShownIdentity): TlsServer {
  const alpn = { ALPNProtocols: ['h2', 'http/1.1'], handshakeTimeout: FIRST_BYTES_TIMEOUT_MS };
  const server = createTlsServer({ ...options, ...tls.current, ...alpn });
  const forget = tls.onChange((identity) => server.setSecureContext({ ...identity }));
  server.once('close', forget);
  // Nobody can be answered over a connection that is not established.
  server.removeAllListeners('tlsClientError');
  server.on('tlsClientError', (_, socket) => socket.destroy());
  return server;
}

interface Http2Part {
  readonly server: Http2Server;
  readonly sessions: OpenSessions;
}

/** Serves connections that it is given; it does not listen. */
function http2Server(setting: ExchangeSetting): Http2Part {
  const server = createHttp2Server({
    settings: { initialWindowSize: WINDOW_BYTES, maxConcurrentStreams: MOST_STREAMS_PER_CONNECTION },
    maxSessionMemory: NO_BOUND_OF_A_SESSION,
  });
  const sessions = new OpenSessions(server);
  const serve = (awaitsContinue: boolean) => (request: Http2ServerRequest, response: Http2ServerResponse) => {
    // A stream that its client resets ends with an error that its request has been told of already.
    response.stream.on('error', () => {});
    sessions.serve(response.stream, () => {
      void exchange(setting, http2Wire(request, response, { awaitsContinue, timeoutMs: setting.requestTimeoutMs }));
    });
  };
  server.on('request', serve(false));
  server.on('checkContinue', serve(true));
  server.on('session', (session) => {
    session.setLocalWindowSize(WINDOW_BYTES);
    // Without anything on the way for this long no new request is taken; one that still runs gets its answer.
    session.setTimeout(KEEP_ALIVE_MS, () => session.close());
  });
  return { server, sessions };
}

/** All connections of a server, also those of which it is not known yet what they speak. */
function openSockets(server: Server): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  server.prependListener('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return sockets;
}

function listening(server: Server, place: ListeningPlace): Promise<void> {
  return new Promise((resolve, reject) => {
    placeText(place);
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(refusalToListen(place, { inUse: error.code === 'EADDRINUSE', cause: error })),
    );
    server.listen(place.port, place.host, resolve);
  });
}

interface Parts {
  readonly http1: Server;
  readonly http2: Http2Part;
  readonly sockets: ReadonlySet<Socket>;
  readonly unsent: UnsentAnswers;
}

async function closed({ http1, http2, sockets, unsent }: Parts, timeoutMs: number): Promise<void> {
  const cutOff = setTimeout(() => {
    for (const socket of sockets) socket.destroy();
  }, timeoutMs);
  // A server of HTTP/1.1 closes idle connections with itself, and takes one whose answer is written, but has not left, for idle.
  const ended = new Promise<void>((resolve) => NetServer.prototype.close.call(http1, () => resolve()));
  http2.sessions.closeAll();
  for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
  while (unsent.connections > 0) await unsent.none();
  http1.close();
  await ended;
  clearTimeout(cutOff);
}
