/**
 * A port that speaks gRPC's HTTP/2, over TLS where there is an identity for it, whatever its methods are. Dead connections are found by
 * pings; closing stops accepting, lets running calls end and cuts off what is left after a time.
 */
import { createSecureServer, createServer, type Http2SecureServer, type Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { type ListeningPlace, placeText, refusalToListen } from '../listening-place.js';
import { NO_BOUND_OF_A_SESSION } from '../open-sessions.js';
import type { ShownIdentity } from '../tls-identity.js';
import { vacated } from '../vacated.js';
import { grpcSessions } from './grpc-sessions.js';
import type { CallStream } from './unary-call.js';

const MOST_CALLS_PER_CONNECTION = 1000;
const HANDSHAKE_MS = 10_000;
/** Bytes of one message on the way before they are read: large tensors would wait for the client after every 64 KiB. */
const WINDOW_BYTES = 1024 * 1024;

/** Where to listen, and what to show to clients; without an identity traffic is not encrypted. */
export interface GrpcPlace {
  readonly place: ListeningPlace;
  readonly tls: ShownIdentity | undefined;
}

/** A gRPC port that accepts calls. */
export interface RunningGrpcServer {
  readonly address: string;
  /** Tells clients to go and serves them on; resolves once each open connection has a call that waits for its answer, or after `withinMs`. */
  leave(withinMs: number): Promise<void>;
  /** Stops accepting, waits for running calls at most `timeoutMs`, then cuts their connections. */
  close(timeoutMs: number): Promise<void>;
}

/**
 * Hands every call of gRPC to `onCall`; anything else is refused. Rejects with AppError PORT_IN_USE, or WRONG_USAGE when the address cannot
 * be listened on.
 */
export async function listenForCalls(
  { place, tls }: GrpcPlace,
  onCall: (call: CallStream) => void,
): Promise<RunningGrpcServer> {
  const server = http2Server(tls);
  const sessions = grpcSessions(server, WINDOW_BYTES);
  server.on('stream', (stream, headers) => {
    // A stream that its client resets ends with an error that its call has been told of already.
    stream.on('error', () => {});
    sessions.serve(stream, () => takeStream({ stream, headers }, onCall));
  });
  await listening(server, place);
  const { port } = server.address() as AddressInfo;
  return {
    address: placeText({ ...place, port }),
    leave: (withinMs) => {
      sessions.leave();
      return vacated(() => sessions.count - sessions.answering, withinMs);
    },
    close: async (timeoutMs) => {
      const cutOff = setTimeout(() => sessions.destroyAll(), timeoutMs);
      const ended = new Promise<void>((resolve) => server.close(() => resolve()));
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

function http2Server(tls: ShownIdentity | undefined): Http2Server | Http2SecureServer {
  const options = {
    settings: { initialWindowSize: WINDOW_BYTES, maxConcurrentStreams: MOST_CALLS_PER_CONNECTION },
    maxSessionMemory: NO_BOUND_OF_A_SESSION,
  };
  if (tls === undefined) return createServer(options);
  const server = createSecureServer({ ...options, ...tls.current, handshakeTimeout: HANDSHAKE_MS });
  const forget = tls.onChange((identity) => server.setSecureContext({ ...identity }));
  server.once('close', forget);
  server.on('unknownProtocol', (socket) => socket.destroy());
  return server;
}

function listening(server: Http2Server | Http2SecureServer, place: ListeningPlace): Promise<void> {
  return new Promise((resolve, reject) => {
    placeText(place);
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(refusalToListen(place, { inUse: error.code === 'EADDRINUSE', cause: error })),
    );
    server.listen(place.port, place.host, resolve);
  });
}
