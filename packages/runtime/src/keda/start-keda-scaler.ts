/**
 * A port for KEDA (`externalscaler.ExternalScaler`), for clusters in which KEDA owns the number of replicas. KEDA asks how many each stage should
 * have. Calls change nothing, reach no pipeline and need no token, because KEDA has none to show.
 */
import { grpcPath } from '@equipoise/open-inference-codec';
import { BytesInFlight } from '../data-plane/bytes-in-flight.js';
import { warnOfStageFailure } from '../data-plane/stage-failure.js';
import { warnOfDefect } from '../data-plane/turn-queue.js';
import type { CallRules, Purpose } from '../net/call.js';
import type { TlsIdentity } from '../net/tls.js';
import { type CallStream, UnaryCall } from '../open-inference/grpc/grpc-call.js';
import { listenForCalls, type RunningGrpcServer } from '../open-inference/grpc/grpc-listener.js';
import { noSuchMethod } from '../open-inference/grpc/grpc-server.js';
import { ActivityStreams } from './activity-stream.js';
import { ExternalScaler } from './external-scaler.gen.js';
import type { ScaledPipeline } from './scaled-part.js';
import { type ScalerMethod, scalerMethods } from './scaler-methods.js';

const MOST_MESSAGE_BYTES = 64 * 1024;
const MESSAGE_TIMEOUT_MS = 10_000;
const CLOSE_TIMEOUT_MS = 2000;

/** The scaled pipeline and the port for KEDA; port 0 takes a free one. */
export interface KedaScalerOptions extends ScaledPipeline {
  readonly host?: string;
  readonly port: number;
  /** Without an identity, traffic is not encrypted. */
  readonly tls?: TlsIdentity;
}

/** The open port. */
export interface RunningKedaScaler {
  /** `host:port`. */
  readonly address: string;
  close(): Promise<void>;
}

/** Starts to listen; rejects with AppError PORT_IN_USE, or WRONG_USAGE for an address that cannot be used. */
export async function startKedaScaler(options: KedaScalerOptions): Promise<RunningKedaScaler> {
  const { host = '127.0.0.1', port, tls } = options;
  const methods = scalerMethods(options);
  const streams = new ActivityStreams(options, rules);
  const streamPath = grpcPath(ExternalScaler.method.streamIsActive);
  const server = await listenForCalls({ place: { host, port }, tls }, (call) => {
    if (call.headers[':path'] === streamPath) streams.serve(call);
    else void new ScalerCall(methods, call).serve();
  });
  return { address: server.address, close: () => close(server, streams) };
}

function close(server: RunningGrpcServer, streams: ActivityStreams): Promise<void> {
  const ended = server.close(CLOSE_TIMEOUT_MS);
  streams.end();
  return ended;
}

const rules: CallRules = {
  maxBodyBytes: MOST_MESSAGE_BYTES,
  inbound: new BytesInFlight(16 * MOST_MESSAGE_BYTES),
  outbound: new BytesInFlight(16 * MOST_MESSAGE_BYTES),
  requestTimeoutMs: MESSAGE_TIMEOUT_MS,
  phase: () => 'serving',
  onDefect: warnOfDefect,
  onStageFailure: warnOfStageFailure,
  onAnswer: () => {},
};

interface ScalerRoute {
  readonly method: ScalerMethod;
  readonly purpose: Purpose;
}

class ScalerCall extends UnaryCall<ScalerRoute> {
  readonly #methods: ReadonlyMap<string, ScalerMethod>;

  constructor(methods: ReadonlyMap<string, ScalerMethod>, stream: CallStream) {
    super(rules, stream);
    this.#methods = methods;
  }

  protected route(): ScalerRoute {
    const method = this.#methods.get(this.headers[':path'] ?? '');
    if (method === undefined) throw noSuchMethod();
    return { method, purpose: 'probe' };
  }

  protected authenticate(): undefined {}

  protected answer({ method }: ScalerRoute, message: Uint8Array): Uint8Array {
    return method(message);
  }
}
