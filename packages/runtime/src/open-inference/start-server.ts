/** The serving ports: HTTP and, if wanted, gRPC on the same host; loopback by default. */
import { AppError } from '@equipoise/core/model';
import { monotonicClock } from '../data-plane/alarm-clock.js';
import { BytesInFlight, InboundBytes, PageBytes } from '../data-plane/bytes-in-flight.js';
import { type StageFailure, warnOfStageFailure } from '../data-plane/stage-failure.js';
import { warnOfDefect } from '../data-plane/turn-queue.js';
import { AcceptPressure } from '../net/accept-pressure.js';
import { AsideTurns } from '../net/aside-turns.js';
import type { AnsweredCall } from '../net/call.js';
import type { PortLimits, RefusedKind } from '../net/connection-limit.js';
import type { ServingPhase } from '../net/drain.js';
import { type RunningHttpServer, startHttpServer } from '../net/http-server.js';
import type { MetricsPage } from '../net/metrics-page.js';
import { Router } from '../net/router.js';
import type { ShownIdentity } from '../net/tls.js';
import { AnswerFeed } from './answer-feed.js';
import { LargeRequests } from './decoding/large-requests.js';
import type { GrpcPlace, RunningGrpcServer } from './grpc/grpc-listener.js';
import { startGrpcServer } from './grpc/grpc-server.js';
import { LargeAnswers } from './large-answers.js';
import { RestCall, type RestPort } from './rest/rest-call.js';
import { restRoutes } from './rest/rest-routes.js';
import { type Runner, servedPipelines } from './served-pipeline.js';
import type { ServingRules } from './serving-rules.js';
import type { StageTypes } from './stage-types.js';
import { type HoldLimits, StartupHold } from './startup-hold.js';
import type { Tenants } from './tenants/tenants.js';
import { TrafficShare, type TrafficShareOptions } from './traffic-share.js';

const DEFAULT_MAX_BODY_BYTES = 16 * 1024 * 1024;
const DEFAULT_MAX_JSON_BYTES = 2 * 1024 * 1024;
/** Default bounds on memory, in bytes or largest bodies. */
const LEAST_INBOUND_BYTES = 64 * 1024 * 1024;
const MOST_INBOUND_BODIES = 4;
const MOST_OUTBOUND_BODIES = 16;
/** Minimum of the bound on unsent answers. An answer may be far larger than its request. */
const LEAST_OUTBOUND_BYTES = 256 * 1024 * 1024;
const DEFAULT_REQUEST_TIMEOUT_MS = 60_000;
const DEFAULT_CLOSE_TIMEOUT_MS = 10_000;
const DEFAULT_MOST_CONNECTIONS = 2048;
const DEFAULT_MOST_STREAMS = 4096;

export interface ServerOptions {
  readonly runners: readonly Runner[];
  /** Tensor types by pipeline; without them, stage metadata lists none. */
  readonly stageTypes?: ReadonlyMap<string, StageTypes>;
  readonly version: string;
  readonly port: number;
  readonly host?: string;
  /** Port of gRPC; default none. */
  readonly grpcPort?: number;
  readonly maxBodyBytes?: number;
  /** Maximum bytes of JSON, as a whole body or a part of it. */
  readonly maxJsonBytes?: number;
  /** Maximum bytes of inbound and, separately, of forwarded bodies; default 4 × the largest body, at least 64 MiB. */
  readonly maxInboundBytes?: number;
  /** Maximum bytes of unsent inference answers; default 16 × the largest body, at least 256 MiB. */
  readonly maxOutboundBytes?: number;
  /** Maximum open connections of each port. */
  readonly maxConnections?: number;
  /** Maximum open HTTP/2 streams over all connections of each port. */
  readonly maxStreams?: number;
  /** Receives refusals of connections and of unread requests; must not throw. */
  readonly onRefusal?: (kind: RefusedKind) => void;
  /** Tenants; every request except health probes needs one of their bearer tokens. */
  readonly tenants?: Tenants;
  /** Default: cleartext. */
  readonly tls?: ShownIdentity;
  /** Another server that gets a share of the HTTP inference requests; only with a single pipeline. */
  readonly share?: TrafficShareOptions;
  /** Holds inference requests until `beginServing`, because ports are bound before replicas start. */
  readonly starting?: boolean;
  /** Bounds of the requests held during the start. */
  readonly holdLimits?: Partial<HoldLimits>;
  /** Maximum time (ms) from the first byte of a request to its last. */
  readonly requestTimeoutMs?: number;
  /** Receives defects of the server. By default they become process warnings. */
  readonly onDefect?: (error: unknown) => void;
  /** Receives failures of stages, with the stage's error as `cause`. By default they become process warnings. */
  readonly onStageFailure?: (failure: StageFailure) => void;
  /** Page for `/metrics`; without it the path is unknown. */
  readonly metrics?: MetricsPage;
  /** Receives every answer except those to probes and metrics requests; must not throw. */
  readonly onAnswer?: (call: AnsweredCall) => void;
}

export interface RunningServer {
  readonly url: string;
  /** `host:port` of gRPC, if requested. */
  readonly grpcAddress?: string;
  /** True if the server accepts requests and every pipeline is ready. */
  readonly isReady: boolean;
  /** Requests held during the start. */
  readonly heldRequests: number;
  /** Runs requests from now on, after `starting`; first those that are held. */
  beginServing(): void;
  /**
   * Reports not ready and asks clients to reconnect, but still serves them. Resolves once no connection is idle, or
   * after `withinMs`.
   */
  drain(withinMs: number): Promise<void>;
  /** Accepts no new connections, waits at most `timeoutMs` (10 s) for running requests, then cuts their connections. */
  close(options?: { readonly timeoutMs?: number }): Promise<void>;
}

export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { host = '127.0.0.1', port, grpcPort, tls } = options;
  let phase: ServingPhase = options.starting === true ? 'starting' : 'serving';
  const pressure = new AcceptPressure();
  const aside = new AsideTurns(pressure);
  const rules = { ...rulesOf(options, () => phase, pressure), aside };
  const rest = restPortOf(options, rules);
  const place = { host, port };
  const limits = limitsOf(options);
  const { requestTimeoutMs } = rules;
  const http = await startHttpServer({ place, tls, requestTimeoutMs, limits, pressure, aside }, (exchange) => {
    void new RestCall(rest, exchange).serve();
  });
  const grpc =
    grpcPort === undefined
      ? undefined
      : await startGrpc(rules, { place: { host, port: grpcPort }, tls, limits, pressure }, http);
  let closed: Promise<unknown> | undefined;
  return {
    url: http.url,
    ...(grpc !== undefined && { grpcAddress: grpc.address }),
    get isReady() {
      return phase === 'serving' && [...rules.pipelines.values()].every(({ ready }) => ready);
    },
    get heldRequests() {
      return rules.hold.held;
    },
    beginServing: () => {
      if (phase !== 'starting') return;
      phase = 'serving';
      rules.hold.open();
    },
    drain: async (withinMs) => {
      if (phase !== 'serving') return;
      phase = 'draining';
      await Promise.all([http.drain(withinMs), grpc?.drain(withinMs)]);
    },
    close: async ({ timeoutMs = DEFAULT_CLOSE_TIMEOUT_MS } = {}) => {
      phase = 'closing';
      rules.hold.close();
      rules.answers.close();
      closed ??= Promise.all([http.close(timeoutMs), grpc?.close(timeoutMs)]);
      await closed;
      rest.share?.close();
      await rules.largeRequests.close();
    },
  };
}

async function startGrpc(rules: ServingRules, where: GrpcPlace, http: RunningHttpServer): Promise<RunningGrpcServer> {
  try {
    return await startGrpcServer(rules, where);
  } catch (error) {
    await http.close(0);
    throw error;
  }
}

function limitsOf(options: ServerOptions): PortLimits {
  const { maxConnections = DEFAULT_MOST_CONNECTIONS, maxStreams = DEFAULT_MOST_STREAMS, onRefusal } = options;
  return { mostConnections: maxConnections, mostStreams: maxStreams, onRefusal: onRefusal ?? (() => {}) };
}

function rulesOf(options: ServerOptions, phase: () => ServingPhase, pressure: AcceptPressure): ServingRules {
  const { maxBodyBytes = DEFAULT_MAX_BODY_BYTES, maxJsonBytes = DEFAULT_MAX_JSON_BYTES } = options;
  const inbound = new InboundBytes(mostInboundBytes(options), maxBodyBytes);
  const answers = new AnswerFeed();
  return {
    answers,
    pipelines: servedPipelines(options.runners, options.stageTypes, answers),
    version: options.version,
    maxBodyBytes,
    maxJsonBytes,
    inbound,
    largeRequests: new LargeRequests({ inbound, maxBodyBytes, maxJsonBytes, pressure }),
    largeAnswers: new LargeAnswers(),
    outbound: new BytesInFlight(options.maxOutboundBytes ?? mostOutboundBytes(maxBodyBytes)),
    pages: new PageBytes(),
    pressure,
    tenants: options.tenants,
    requestTimeoutMs: options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS,
    onDefect: options.onDefect ?? warnOfDefect,
    onStageFailure: options.onStageFailure ?? warnOfStageFailure,
    onAnswer: options.onAnswer ?? (() => {}),
    phase,
    hold: new StartupHold(monotonicClock, { ...options.holdLimits, isOpen: phase() !== 'starting' }),
  };
}

function restPortOf(options: ServerOptions, rules: ServingRules): RestPort {
  const router = new Router(restRoutes(options.version, options.metrics));
  return { rules, router, share: shareOf(options) };
}

function mostInboundBytes({ maxBodyBytes = DEFAULT_MAX_BODY_BYTES, maxInboundBytes }: ServerOptions): number {
  return maxInboundBytes ?? Math.max(LEAST_INBOUND_BYTES, MOST_INBOUND_BODIES * maxBodyBytes);
}

/** Default bound (bytes) on unsent inference answers. */
export function mostOutboundBytes(maxBodyBytes: number): number {
  return Math.max(LEAST_OUTBOUND_BYTES, MOST_OUTBOUND_BODIES * maxBodyBytes);
}

function shareOf(options: ServerOptions): TrafficShare | undefined {
  const { share, runners } = options;
  const [runner] = runners;
  if (share === undefined || runner === undefined) return undefined;
  if (runner.spec.sources.length > 1)
    throw new AppError('WRONG_USAGE', 'Requests of several sources are not shared: their parts would not meet.');
  const { maxInFlightBytes = Number.POSITIVE_INFINITY } = runner.spec.admission;
  return new TrafficShare(share, runner, Math.min(mostInboundBytes(options), maxInFlightBytes));
}
