/** The serving ports as one: HTTP and, where wanted, gRPC on the same host; loopback unless told otherwise. */
import { BytesInFlight } from '../data-plane/bytes-in-flight.js';
import { type StageFailure, warnOfStageFailure } from '../data-plane/stage-failure.js';
import { warnOfDefect } from '../data-plane/turn-queue.js';
import type { MetricsPage } from '../observe/metrics-page.js';
import type { AnsweredCall } from './answered-call.js';
import type { GrpcPlace, RunningGrpcServer } from './grpc/grpc-listener.js';
import { startGrpcServer } from './grpc/start-grpc-server.js';
import { type RunningHttpServer, startHttpServer } from './http-server.js';
import { type Runner, ServedPipeline } from './served-pipeline.js';
import type { ServingPhase } from './serving-phase.js';
import type { ServingSetting } from './serving-setting.js';
import type { StageTypes } from './stage-types.js';
import type { Tenants } from './tenants/tenants.js';
import type { ShownIdentity } from './tls-identity.js';
import { TrafficShare, type TrafficShareOptions } from './traffic-share.js';

const DEFAULT_MAX_BODY_BYTES = 16 * 1024 * 1024;
/** How many bodies of the largest size may be on their way at once; of smaller ones, or of parts, as many more. */
const MOST_LARGEST_BODIES = 16;
/** Answers may be far larger than bodies, so their bound does not follow those alone. */
const LEAST_LEAVING_BYTES = 256 * 1024 * 1024;
const DEFAULT_REQUEST_TIMEOUT_MS = 60_000;
const DEFAULT_CLOSE_TIMEOUT_MS = 10_000;

/** What to serve and where; port 0 takes a free one. `version` is that of the product, for the server metadata. */
export interface ServerOptions {
  readonly runners: readonly Runner[];
  /** What is known of the tensors at the stages, by pipeline; where it is left out, the metadata of stages have none. */
  readonly stageTypes?: ReadonlyMap<string, StageTypes>;
  readonly version: string;
  readonly port: number;
  readonly host?: string;
  /** Port of gRPC on the same host; left out, there is none. */
  readonly grpcPort?: number;
  readonly maxBodyBytes?: number;
  /** Most bytes of all bodies that are on their way, and again of those that are passed on; those of 16 of the largest when left out. */
  readonly maxArrivingBytes?: number;
  /** Most bytes of all answers to requests that are on their way; when left out, those of 16 of the largest bodies, and at least 256 MiB. */
  readonly maxLeavingBytes?: number;
  /** Clients have to show the bearer token of one of them, except for probes of health. */
  readonly tenants?: Tenants;
  /** What the ports show to their clients; left out, traffic is not encrypted. */
  readonly tls?: ShownIdentity;
  /** Another server that gets a share of the requests over HTTP, where one pipeline alone is served. */
  readonly share?: TrafficShareOptions;
  /** Only probes are answered until `beginServing`: the ports are taken before replicas start. */
  readonly starting?: boolean;
  /** Longest time from the first byte of a request to its last. */
  readonly requestTimeoutMs?: number;
  /** Told of errors that are defects of the server; by default they are process warnings. */
  readonly onDefect?: (error: unknown) => void;
  /** Told of every request that a stage failed; `cause` is what the stage said, which no client sees. Default: a process warning. */
  readonly onStageFailure?: (failure: StageFailure) => void;
  /** What `/metrics` answers; left out, there is no such path. */
  readonly metrics?: MetricsPage;
  /** Told of every answer, but for those to probes and to who reads the metrics; must not throw. */
  readonly onAnswer?: (call: AnsweredCall) => void;
}

/** A server that accepts requests. */
export interface RunningServer {
  readonly url: string;
  /** `host:port` of gRPC, where it was asked for. */
  readonly grpcAddress?: string;
  /** From now on requests are taken in, where that was put off. */
  beginServing(): Promise<void>;
  /**
   * Not ready any more, but each request is taken in, and clients are told to come again over another connection; until no client is silent on
   * a connection, or for `withinMs`. Closing at once would cut off clients that are just sending over a connection that they kept.
   */
  leave(withinMs: number): Promise<void>;
  /** Stops accepting, waits for running requests at most `timeoutMs` (10 s), then cuts their connections. */
  close(options?: { readonly timeoutMs?: number }): Promise<void>;
}

/** Starts to listen; rejects with AppError PORT_IN_USE, or WRONG_USAGE when an address cannot be listened on or shared with. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { host = '127.0.0.1', port, grpcPort, tls, metrics } = options;
  let phase: ServingPhase = options.starting === true ? 'starting' : 'serving';
  const setting = settingOf(options, () => phase);
  const share = shareOf(options);
  const http = await startHttpServer(setting, { place: { host, port }, tls, metrics, share });
  const grpc =
    grpcPort === undefined ? undefined : await startGrpc(setting, { place: { host, port: grpcPort }, tls }, http);
  let closed: Promise<unknown> | undefined;
  return {
    url: http.url,
    ...(grpc !== undefined && { grpcAddress: grpc.address }),
    beginServing: async () => {
      if (phase === 'starting') phase = 'serving';
    },
    leave: async (withinMs) => {
      if (phase !== 'serving') return;
      phase = 'leaving';
      await Promise.all([http.leave(withinMs), grpc?.leave(withinMs)]);
    },
    close: async ({ timeoutMs = DEFAULT_CLOSE_TIMEOUT_MS } = {}) => {
      phase = 'closing';
      closed ??= Promise.all([http.close(timeoutMs), grpc?.close(timeoutMs)]);
      await closed;
      share?.close();
    },
  };
}

async function startGrpc(
  setting: ServingSetting,
  where: GrpcPlace,
  http: RunningHttpServer,
): Promise<RunningGrpcServer> {
  try {
    return await startGrpcServer(setting, where);
  } catch (error) {
    await http.close(0);
    throw error;
  }
}

function settingOf(options: ServerOptions, phase: () => ServingPhase): ServingSetting {
  const { maxBodyBytes = DEFAULT_MAX_BODY_BYTES } = options;
  return {
    pipelines: new Map(
      options.runners.map((runner) => {
        const { name } = runner.spec;
        return [name, new ServedPipeline(runner, options.stageTypes?.get(name))];
      }),
    ),
    version: options.version,
    maxBodyBytes,
    arriving: new BytesInFlight(mostArrivingBytes(options)),
    leaving: new BytesInFlight(options.maxLeavingBytes ?? mostLeavingBytes(maxBodyBytes)),
    tenants: options.tenants,
    requestTimeoutMs: options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS,
    onDefect: options.onDefect ?? warnOfDefect,
    onStageFailure: options.onStageFailure ?? warnOfStageFailure,
    onAnswer: options.onAnswer ?? (() => {}),
    phase,
  };
}

function mostArrivingBytes({ maxBodyBytes = DEFAULT_MAX_BODY_BYTES, maxArrivingBytes }: ServerOptions): number {
  return maxArrivingBytes ?? MOST_LARGEST_BODIES * maxBodyBytes;
}

/** Default bound (bytes) on all responses on their way. */
export function mostLeavingBytes(maxBodyBytes: number): number {
  return Math.max(LEAST_LEAVING_BYTES, MOST_LARGEST_BODIES * maxBodyBytes);
}

function shareOf(options: ServerOptions): TrafficShare | undefined {
  const { share, runners } = options;
  const [runner] = runners;
  if (share === undefined || runner === undefined) return undefined;
  // They are on their way, and they are inside.
  const { maxInFlightBytes = Number.POSITIVE_INFINITY } = runner.spec.admission;
  return new TrafficShare(share, runner, Math.min(mostArrivingBytes(options), maxInFlightBytes));
}
