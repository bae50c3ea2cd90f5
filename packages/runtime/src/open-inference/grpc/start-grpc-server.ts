/**
 * The gRPC port: `inference.GRPCInferenceService` and `grpc.health.v1.Health` on @grpc/grpc-js, over TLS where there is an identity for it. Slow messages time out,
 * dead connections are found by pings; closing stops accepting, lets running calls end and cuts off what is left after a time.
 */
import { grpcMethods, grpcPath, healthCheck } from '@equipoise/open-inference-codec';
import {
  logVerbosity,
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptor,
  type ServiceDefinition,
  setLogVerbosity,
} from '@grpc/grpc-js';
import { type ListeningPlace, placeText, refusalToListen } from '../listening-place.js';
import type { Purpose } from '../routes.js';
import type { ServingSetting } from '../serving-setting.js';
import type { TlsIdentity } from '../tls-identity.js';
import type { GrpcMethod } from './grpc-method.js';
import { health, modelReady, serverLive, serverReady } from './health-methods.js';
import { modelInfer } from './infer-method.js';
import { modelMetadata, serverMetadata } from './metadata-methods.js';
import { TlsCredentials } from './tls-credentials.js';
import { lateMessage, unaryHandler } from './unary-handler.js';

const MOST_CALLS_PER_CONNECTION = 1000;
const PING_MS = { every: 60_000, timeout: 20_000 };
const IDLE_MS = 300_000;
/** Bytes of one message on the way before they are read: large tensors would wait for the client after every 64 KiB. */
const WINDOW_BYTES = 1024 * 1024;

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
  // Its log would have one line for each odd header of a client, with what stood in it.
  setLogVerbosity(logVerbosity.NONE);
  const server = new Server({
    'grpc.max_receive_message_length': setting.maxBodyBytes,
    'grpc.max_concurrent_streams': MOST_CALLS_PER_CONNECTION,
    'grpc.keepalive_time_ms': PING_MS.every,
    'grpc.keepalive_timeout_ms': PING_MS.timeout,
    'grpc.max_connection_idle_ms': IDLE_MS,
    'grpc-node.flow_control_window': WINDOW_BYTES,
    interceptors: [timingOut(setting.requestTimeoutMs)],
  });
  addMethods(server, setting);
  const credentials = tls === undefined ? ServerCredentials.createInsecure() : new TlsCredentials(tls);
  const port = await bound(server, place, credentials);
  return { address: placeText({ ...place, port }), close: (timeoutMs) => closed(server, timeoutMs) };
}

function addMethods(server: Server, setting: ServingSetting): void {
  const methods: readonly (readonly [Parameters<typeof grpcPath>[0], GrpcMethod, Purpose])[] = [
    [grpcMethods.serverLive, serverLive, 'probe'],
    [grpcMethods.serverReady, serverReady, 'probe'],
    [grpcMethods.modelReady, modelReady, 'metadata'],
    [grpcMethods.serverMetadata, serverMetadata(setting.version), 'metadata'],
    [grpcMethods.modelMetadata, modelMetadata, 'metadata'],
    [grpcMethods.modelInfer, modelInfer, 'inference'],
    [healthCheck, health, 'probe'],
  ];
  const bytes = (message: Buffer) => message;
  for (const [description, method, purpose] of methods) {
    const { localName } = description;
    const definition: ServiceDefinition = {
      [localName]: {
        path: grpcPath(description),
        requestStream: false,
        responseStream: false,
        requestSerialize: bytes,
        requestDeserialize: bytes,
        responseSerialize: bytes,
        responseDeserialize: bytes,
      },
    };
    server.addService(definition, { [localName]: unaryHandler(setting, { method, purpose }) });
  }
}

/** Ends calls whose message takes longer than `timeoutMs` to come. */
function timingOut(timeoutMs: number): ServerInterceptor {
  return (_, call) => {
    const timer = setTimeout(() => call.sendStatus(lateMessage), timeoutMs).unref();
    const stop = () => clearTimeout(timer);
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveHalfClose: (go) => {
            stop();
            go();
          },
          onCancel: stop,
        }),
      sendStatus: (status, next) => {
        stop();
        next(status);
      },
    });
  };
}

function bound(server: Server, place: ListeningPlace, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(placeText(place), credentials, (error, port) => {
      if (error === null) resolve(port);
      else reject(refusalToListen(place, { inUse: /EADDRINUSE/.test(error.message), cause: error }));
    });
  });
}

async function closed(server: Server, timeoutMs: number): Promise<void> {
  const cutOff = setTimeout(() => server.forceShutdown(), timeoutMs);
  await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  clearTimeout(cutOff);
}
