/**
 * The HTTP port. In cleartext it speaks HTTP/1.1, over TLS also HTTP/2 (by ALPN). Slow handshakes, headers and bodies time out. Closing
 * stops accepting, lets running requests end and cuts the rest off after a timeout.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2';
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { MetricsPage } from '../observe/metrics-page.js';
import { type ExchangeSetting, exchange } from './exchange.js';
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

type HttpServer = Server | Http2SecureServer;

/** Starts to listen; rejects with AppError PORT_IN_USE, or WRONG_USAGE when the address cannot be listened on. */
export async function startHttpServer(
  serving: ServingSetting,
  { place, tls, metrics, share }: HttpServerOptions,
): Promise<RunningHttpServer> {
  const setting: ExchangeSetting = { ...serving, share, table: new RouteTable(routes(serving.version, metrics)) };
  const server = newServer(tls, serving.requestTimeoutMs);
  const answering = new Map<Duplex, ServerResponse>();
  const unsent = new UnsentAnswers(serving.requestTimeoutMs);
  const sockets = openSockets(server);
  const sessions = openSessions(server as Http2SecureServer);
  server.prependListener(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    socket.once('close', () => {
      answering.delete(socket);
      unsent.closed(socket);
    });
  });
  serveRequests(server, setting, { answering, unsent, sessions });
  await listening(server, place);
  const { address, port } = server.address() as AddressInfo;
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${placeText({ host: address, port })}`,
    leave: (withinMs) => {
      sessions.leave();
      return vacated(() => sockets.size - answering.size - sessions.answering, withinMs);
    },
    close: (within) => closed({ server, sessions, sockets, unsent }, within),
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
    allowHTTP1: true,
    handshakeTimeout: FIRST_BYTES_TIMEOUT_MS,
    settings: { initialWindowSize: WINDOW_BYTES, maxConcurrentStreams: MOST_STREAMS_PER_CONNECTION },
    maxSessionMemory: NO_BOUND_OF_A_SESSION,
  });
  // Node takes the options of its HTTP/1.1 part from properties of the server alone.
  Object.assign(server, http1, { requireHostHeader: true });
  const forget = tls.onChange((identity) => server.setSecureContext({ ...identity }));
  server.once('close', forget);
  server.on('tlsClientError', (_, socket) => socket.destroy());
  return server;
}

/** Sessions of HTTP/2, which only a server over TLS has. */
function openSessions(server: Http2SecureServer): OpenSessions {
  const sessions = new OpenSessions(server);
  server.on('session', (session) => {
    session.setLocalWindowSize(WINDOW_BYTES);
    // A client whose side is closed cannot even take an answer: HTTP/2 needs it to grant room for it.
    session.socket.once('end', () => session.destroy());
    // Without traffic for this long no new request is taken; a running one still gets its answer.
    session.setTimeout(KEEP_ALIVE_MS, () => session.close());
  });
  return sessions;
}

/** Running exchanges of a server: those over HTTP/1.1 by connection, and written answers that have not left. */
interface RunningExchanges {
  readonly answering: Map<Duplex, ServerResponse>;
  readonly unsent: UnsentAnswers;
  readonly sessions: OpenSessions;
}

function serveRequests(server: HttpServer, setting: ExchangeSetting, running: RunningExchanges): void {
  const { answering, unsent, sessions } = running;
  const serveHttp1 = (request: IncomingMessage, response: ServerResponse, awaitsContinue: boolean) => {
    answering.set(request.socket, response);
    response.once('close', () => {
      if (answering.get(request.socket) === response) answering.delete(request.socket);
    });
    void exchange(setting, http1Wire(request, response, { awaitsContinue, unsent }));
  };
  const serveHttp2 = (request: Http2ServerRequest, response: Http2ServerResponse, awaitsContinue: boolean) => {
    // A stream that its client resets ends with an error that its request has been told of already.
    response.stream.on('error', () => {});
    sessions.serve(response.stream, () => {
      void exchange(setting, http2Wire(request, response, { awaitsContinue, timeoutMs: setting.requestTimeoutMs }));
    });
  };
  const serve =
    (awaitsContinue: boolean) =>
    (request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse) => {
      if ('stream' in response) serveHttp2(request as Http2ServerRequest, response, awaitsContinue);
      else serveHttp1(request as IncomingMessage, response, awaitsContinue);
    };
  server.on('request', serve(false));
  // Node would refuse unknown expectations with an empty 417; HTTP lets a server ignore them (RFC 9110 §10.1.1).
  server.on('checkExpectation', serve(false));
  server.on('checkContinue', serve(true));
  server.on('clientError', (error: Error, socket: Duplex) => refuseRaw(error, socket, answering.get(socket)));
}

/** All connections of a server, also those that have not sent anything. */
function openSockets(server: HttpServer): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  server.prependListener('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return sockets;
}

function listening(server: HttpServer, place: ListeningPlace): Promise<void> {
  return new Promise((resolve, reject) => {
    placeText(place);
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(refusalToListen(place, { inUse: error.code === 'EADDRINUSE', cause: error })),
    );
    server.listen(place.port, place.host, resolve);
  });
}

interface Parts {
  readonly server: HttpServer;
  readonly sessions: OpenSessions;
  readonly sockets: ReadonlySet<Socket>;
  readonly unsent: UnsentAnswers;
}

async function closed({ server, sessions, sockets, unsent }: Parts, timeoutMs: number): Promise<void> {
  const cutOff = setTimeout(() => {
    for (const socket of sockets) socket.destroy();
  }, timeoutMs);
  // A server of HTTP/1.1 closes idle connections with itself, and takes one whose answer is written, but has not left, for idle.
  const ended = new Promise<void>((resolve) => NetServer.prototype.close.call(server, () => resolve()));
  sessions.closeAll();
  for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
  while (unsent.connections > 0) await unsent.none();
  server.close();
  await ended;
  clearTimeout(cutOff);
}
