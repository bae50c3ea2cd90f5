/**
 * A port for KEDA (`externalscaler.ExternalScaler`), for clusters where it owns the number of replicas: it asks how many each stage should
 * have and starts and stops them. Nothing is changed by what is asked here, and nothing but these numbers is told.
 */
import { grpcPath } from '@equipoise/open-inference-codec';
import { BytesInFlight } from '../data-plane/bytes-in-flight.js';
import { warnOfStageFailure } from '../data-plane/stage-failure.js';
import { warnOfDefect } from '../data-plane/turn-queue.js';
import { listenForCalls, type RunningGrpcServer } from '../open-inference/grpc/grpc-listener.js';
import { grpcStatus, refusing } from '../open-inference/grpc/grpc-status.js';
import { refuseCall, serveCall } from '../open-inference/grpc/unary-call.js';
import type { ServingSetting } from '../open-inference/serving-setting.js';
import type { TlsIdentity } from '../open-inference/tls-identity.js';
import { ActivityStreams } from './activity-stream.js';
import { ExternalScaler } from './external-scaler.gen.js';
import type { ScaledPipeline } from './scaled-part.js';
import { scalerMethods } from './scaler-methods.js';

const MOST_MESSAGE_BYTES = 64 * 1024;
const MESSAGE_TIMEOUT_MS = 10_000;
const CLOSE_TIMEOUT_MS = 2000;

/** What is scaled, and where KEDA asks; port 0 takes a free one. */
export interface KedaScalerOptions extends ScaledPipeline {
  readonly host?: string;
  readonly port: number;
  /** What the port shows to KEDA; left out, traffic is not encrypted. */
  readonly tls?: TlsIdentity;
}

/** The port, open. */
export interface RunningKedaScaler {
  /** `host:port`. */
  readonly address: string;
  close(): Promise<void>;
}

/** Starts to listen; rejects with AppError PORT_IN_USE, or WRONG_USAGE when the address cannot be listened on. */
export async function startKedaScaler(options: KedaScalerOptions): Promise<RunningKedaScaler> {
  const { host = '127.0.0.1', port, tls } = options;
  const methods = scalerMethods(options);
  const streams = new ActivityStreams(options, { maxBytes: MOST_MESSAGE_BYTES, timeoutMs: MESSAGE_TIMEOUT_MS });
  const streamPath = grpcPath(ExternalScaler.method.streamIsActive);
  const server = await listenForCalls({ place: { host, port }, tls }, (call) => {
    const path = call.headers[':path'] ?? '';
    const method = methods.get(path);
    if (method !== undefined) serveCall(setting, { method, purpose: 'probe' }, call);
    else if (path === streamPath) void streams.serve(call);
    else refuseCall(call.stream, refusing(grpcStatus.unimplemented, 'There is no such method.'));
  });
  return { address: server.address, close: () => closed(server, streams) };
}

function closed(server: RunningGrpcServer, streams: ActivityStreams): Promise<void> {
  const ended = server.close(CLOSE_TIMEOUT_MS);
  streams.end();
  return ended;
}

/** Calls here reach no pipeline and show no token, for KEDA has none to show. */
const setting: ServingSetting = {
  pipelines: new Map(),
  version: '',
  maxBodyBytes: MOST_MESSAGE_BYTES,
  arriving: new BytesInFlight(16 * MOST_MESSAGE_BYTES),
  leaving: new BytesInFlight(16 * MOST_MESSAGE_BYTES),
  tenants: undefined,
  requestTimeoutMs: MESSAGE_TIMEOUT_MS,
  phase: () => 'serving',
  onDefect: warnOfDefect,
  onStageFailure: warnOfStageFailure,
  onAnswer: () => {},
};
