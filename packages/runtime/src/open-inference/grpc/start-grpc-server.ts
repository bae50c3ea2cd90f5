/**
 * The gRPC port: `inference.GRPCInferenceService` and `grpc.health.v1.Health` on HTTP/2, over TLS where there is an identity for it. Slow
 * messages time out, dead connections are found by pings; closing stops accepting, lets running calls end and cuts off what is left
 * after a time.
 */
import { createSecureServer, createServer, type Http2SecureServer, type Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { grpcMethods, grpcPath, healthCheck } from '@equipoise/open-inference-codec';
import { type ListeningPlace, placeText, refusalToListen } from '../listening-place.js';
import type { ServingSetting } from '../serving-setting.js';
import type { TlsIdentity } from '../tls-identity.js';
import { GrpcSessions } from './grpc-sessions.js';
import { grpcStatus, refusing } from './grpc-status.js';
import { health, modelReady, serverLive, serverReady } from './health-methods.js';
import { modelInfer } from './infer-method.js';
import { modelMetadata, serverMetadata } from './metadata-methods.js';
import { type CallStream, type GuardedMethod, refuseCall, serveCall } from './unary-call.js';

const MOST_CALLS_PER_CONNECTION = 1000;
const HANDSHAKE_MS = 10_000;
/** Bytes of one message on the way before they are read: large tensors would wait for the client after every 64 KiB. */
const WINDOW_BYTES = 1024 * 1024;
/** Memory of a connection is that of its messages on the way, which are bounded for all connections together. */
const NO_BOUND_OF_A_SESSION = Number.MAX_SAFE_INTEGER;

/** Where to listen, and what to show to clients; without an identity traffic is not encrypted. */
export interface GrpcPlace {
  readonly place: ListeningPlace;
  readonly tls: TlsIdentity | undefined;
}

/** A gRPC port that accepts calls. */
export interface RunningGrpcServer {
  readonly address: string;
  /** Stops accepting, waits for running calls at most `timeoutMs`, then cuts their connections. */
  close(timeoutMs: number): Promise<void>;
}

/** Starts to listen; rejects with AppError PORT_IN_USE, or WRONG_USAGE when the address cannot be listened on. */
export async function startGrpcServer(setting: ServingSetting, { place, tls }: GrpcPlace): Promise<RunningGrpcServer> {
  const server = http2Server(tls);
  const sessions = new GrpcSessions(server, WINDOW_BYTES);
  const methods = methodsByPath(setting.version);
  server.on('stream', (stream, headers) => serveStream(setting, methods, { stream, headers }));
  await listening(server, place);
  const { port } = server.address() as AddressInfo;
  return {
    address: placeText({ ...place, port }),
    close: async (timeoutMs) => {
      const cutOff = setTimeout(() => sessions.destroyAll(), timeoutMs);
      const ended = new Promise<void>((resolve) => server.close(() => resolve()));
      sessions.closeAll();
      await ended;
      clearTimeout(cutOff);
    },
  };
}

function methodsByPath(version: string): ReadonlyMap<string, GuardedMethod> {
  const { serverMetadata: describe } = grpcMethods;
  return new Map<string, GuardedMethod>([
    [grpcPath(grpcMethods.serverLive), { method: serverLive, purpose: 'probe' }],
    [grpcPath(grpcMethods.serverReady), { method: serverReady, purpose: 'probe' }],
    [grpcPath(grpcMethods.modelReady), { method: modelReady, purpose: 'metadata' }],
    [grpcPath(describe), { method: serverMetadata(version), purpose: 'metadata' }],
    [grpcPath(grpcMethods.modelMetadata), { method: modelMetadata, purpose: 'metadata' }],
    [grpcPath(grpcMethods.modelInfer), { method: modelInfer, purpose: 'inference' }],
    [grpcPath(healthCheck), { method: health, purpose: 'probe' }],
  ]);
}

function serveStream(setting: ServingSetting, methods: ReadonlyMap<string, GuardedMethod>, call: CallStream): void {
  const { stream, headers } = call;
  // A stream that its client resets ends with an error that its call has been told of already.
  stream.on('error', () => {});
  if (headers['content-type']?.startsWith('application/grpc') !== true) {
    stream.respond({ ':status': 415 }, { endStream: true });
    stream.resume();
    return;
  }
  const guarded = methods.get(headers[':path'] ?? '');
  if (guarded === undefined) refuseCall(stream, refusing(grpcStatus.unimplemented, 'There is no such method.'));
  else serveCall(setting, guarded, call);
}

function http2Server(tls: TlsIdentity | undefined): Http2Server | Http2SecureServer {
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
