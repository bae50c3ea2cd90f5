/**
 * A gRPC port, over TLS if it has an identity. Connections that do not answer a ping are cut off, idle ones are closed.
 */
import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type ServerHttp2Session,
} from 'node:http2';
import type { Pressure } from '../../net/accept-pressure.js';
import { http2Limits, limitConnections, type PortLimits } from '../../net/connection-limit.js';
import { drained, MOST_STREAMS_PER_CONNECTION, OpenSessions } from '../../net/drain.js';
import { FairTurns } from '../../net/fair-turns.js';
import { type ListeningPlace, listen, placeText } from '../../net/listen.js';
import { type ShownIdentity, showChanges, strictTls } from '../../net/tls.js';
import type { CallStream } from './grpc-call.js';

const HANDSHAKE_MS = 10_000;
/** Window of a message; with the default of 64 KiB, large tensors would wait for many round trips. */
const WINDOW_BYTES = 1024 * 1024;
const PING_MS = { every: 60_000, timeout: 20_000 };
const IDLE_MS = 300_000;

/** Empty SETTINGS, then GOAWAY with ENHANCE_YOUR_CALM. */
const CROWDED = Buffer.from('000000040000000000000008070000000000000000000000000b', 'hex');

/** Cleartext without `tls`. */
export interface GrpcPlace {
  readonly place: ListeningPlace;
  readonly tls: ShownIdentity | undefined;
  readonly limits: PortLimits;
  /** New clients of the server. */
  readonly pressure?: Pressure | undefined;
}

export interface RunningGrpcServer {
  readonly address: string;
  /** Asks clients to reconnect and still serves them; resolves once no open connection is idle, or after `withinMs`. */
  drain(withinMs: number): Promise<void>;
  /** Accepts no new connections, waits at most `timeoutMs` for running calls, then cuts their connections. */
  close(timeoutMs: number): Promise<void>;
}

/** Passes every gRPC call to `onCall` and refuses all other requests. */
export async function listenForCalls(
  { place, tls, limits, pressure }: GrpcPlace,
  onCall: (call: CallStream) => void,
): Promise<RunningGrpcServer> {
  const server = newServer(tls);
  const sessions = new OpenSessions(server, { windowBytes: WINDOW_BYTES, limits, pressure });
  server.on('session', (session) => watch(session, sessions));
  const turns = new FairTurns(pressure);
  server.on('stream', (stream, headers) => {
    // A reset stream emits an error. The call learns of the reset by `close`.
    stream.on('error', () => {});
    const begin = () => sessions.serve(stream, () => takeStream({ stream, headers }, onCall));
    turns.begin(stream.session ?? stream, begin, sessions.isGood(stream));
  });
  const words = tls === undefined ? CROWDED : undefined;
  const closeOther = () => sessions.closeIdle() || sessions.closeSlow();
  const closeHandshakes = limitConnections(server, { limits, closeOther, words });
  const listening = await listen(server, place, 'http2');
  return {
    address: placeText({ host: place.host, port: listening.port }),
    drain: (withinMs) => {
      sessions.drain();
      return drained(() => sessions.count - sessions.answering, withinMs);
    },
    close: async (timeoutMs) => {
      const cutOff = setTimeout(() => sessions.destroyAll(), timeoutMs);
      const ended = listening.close();
      closeHandshakes();
      sessions.closeAll();
      await ended;
      clearTimeout(cutOff);
    },
  };
}

function takeStream(call: CallStream, onCall: (call: CallStream) => void): void {
  const { stream, headers } = call;
  if (headers['content-type']?.startsWith('application/grpc') === true) onCall(call);
  else {
    stream.respond({ ':status': 415 }, { endStream: true });
    stream.resume();
  }
}

function newServer(tls: ShownIdentity | undefined): Http2Server | Http2SecureServer {
  const options = {
    settings: { initialWindowSize: WINDOW_BYTES, maxConcurrentStreams: MOST_STREAMS_PER_CONNECTION },
    ...http2Limits,
  };
  if (tls === undefined) return createServer(options);
  const server = createSecureServer({ ...options, ...tls.current, ...strictTls, handshakeTimeout: HANDSHAKE_MS });
  showChanges(server, tls);
  server.on('unknownProtocol', (socket) => socket.destroy());
  return server;
}

/** Pings a connection, and closes it when idle. */
function watch(session: ServerHttp2Session, sessions: OpenSessions): void {
  let cutOff: NodeJS.Timeout | undefined;
  const look = () => {
    // A destroyed session may not have emitted its close event yet.
    if (session.destroyed) return;
    if (sessions.idleMs(session) >= IDLE_MS) {
      session.close();
      return;
    }
    clearTimeout(cutOff);
    cutOff = setTimeout(() => sessions.cut(session), PING_MS.timeout).unref();
    session.ping(() => clearTimeout(cutOff));
  };
  const timer = setInterval(look, PING_MS.every).unref();
  session.once('close', () => {
    clearInterval(timer);
    clearTimeout(cutOff);
  });
}
