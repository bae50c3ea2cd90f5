/**
 * External scaler for KEDA (`externalscaler.ExternalScaler`), for clusters in which KEDA sets the number of replicas.
 * Calls are read-only and need no token, because KEDA cannot send one.
 */
import { grpcPath, readMessage, writeMessage } from '@equipoise/open-inference-codec';
import { BytesInFlight, InboundBytes, PageBytes } from '../data-plane/bytes-in-flight.js';
import { warnOfStageFailure } from '../data-plane/stage-failure.js';
import { warnOfDefect } from '../data-plane/turn-queue.js';
import type { CallRules, Purpose } from '../net/call.js';
import { smallPort } from '../net/connection-limit.js';
import type { TlsIdentity } from '../net/tls.js';
import { type CallStream, UnaryCall } from '../open-inference/grpc/grpc-call.js';
import { listenForCalls, type RunningGrpcServer } from '../open-inference/grpc/grpc-listener.js';
import { noSuchMethod } from '../open-inference/grpc/grpc-server.js';
import { ActivityStreams } from './activity-stream.js';
import { ExternalScaler } from './external-scaler.gen.js';
import { type ScaledPipeline, wantedOf } from './scaled-part.js';

const { streamIsActive, isActive, getMetricSpec, getMetrics } = ExternalScaler.method;

const METRIC_NAME = 'desired-replicas';
const MOST_MESSAGE_BYTES = 64 * 1024;
const MESSAGE_TIMEOUT_MS = 10_000;
const CLOSE_TIMEOUT_MS = 2000;

export interface KedaScalerOptions extends ScaledPipeline {
  readonly host?: string;
  readonly port: number;
  /** Default: cleartext. */
  readonly tls?: TlsIdentity;
}

export interface RunningKedaScaler {
  /** `host:port`. */
  readonly address: string;
  close(): Promise<void>;
}

export async function startKedaScaler(options: KedaScalerOptions): Promise<RunningKedaScaler> {
  const { host = '127.0.0.1', port, tls } = options;
  const methods = scalerMethods(options);
  const streams = new ActivityStreams(options, rules);
  const streamPath = grpcPath(streamIsActive);
  const server = await listenForCalls({ place: { host, port }, tls, limits: smallPort }, (call) => {
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
  inbound: new InboundBytes(16 * MOST_MESSAGE_BYTES),
  outbound: new BytesInFlight(16 * MOST_MESSAGE_BYTES),
  pages: new PageBytes(),
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

type ScalerMethod = (message: Uint8Array) => Uint8Array;

/**
 * Unary methods by path. The metric is the number of wanted replicas, and its target is 1, so the autoscaler starts
 * this number of replicas. Older versions of KEDA read only the integer fields.
 */
function scalerMethods(pipeline: ScaledPipeline): ReadonlyMap<string, ScalerMethod> {
  return new Map<string, ScalerMethod>([
    [
      grpcPath(isActive),
      (message) =>
        writeMessage(isActive.output, { result: wantedOf(pipeline, readMessage(isActive.input, message)) > 0 }),
    ],
    [
      grpcPath(getMetricSpec),
      (message) => {
        // Rejects wrong trigger metadata before KEDA creates the autoscaler. The result is not needed here.
        wantedOf(pipeline, readMessage(getMetricSpec.input, message));
        const target = { metricName: METRIC_NAME, targetSize: 1n, targetSizeFloat: 1 };
        return writeMessage(getMetricSpec.output, { metricSpecs: [target] });
      },
    ],
    [
      grpcPath(getMetrics),
      (message) => {
        const { scaledObjectRef } = readMessage(getMetrics.input, message);
        const wanted = wantedOf(pipeline, scaledObjectRef);
        const value = { metricName: METRIC_NAME, metricValue: BigInt(wanted), metricValueFloat: wanted };
        return writeMessage(getMetrics.output, { metricValues: [value] });
      },
    ],
  ]);
}
