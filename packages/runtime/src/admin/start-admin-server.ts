/** The admin port. Without a token it listens on loopback only. */
import { AppError } from '@equipoise/core/model';
import { BytesInFlight, InboundBytes, PageBytes } from '../data-plane/bytes-in-flight.js';
import { warnOfStageFailure } from '../data-plane/stage-failure.js';
import { warnOfDefect } from '../data-plane/turn-queue.js';
import { smallPort } from '../net/connection-limit.js';
import type { ServingPhase } from '../net/drain.js';
import { startHttpServer } from '../net/http-server.js';
import { type MetricsPage, SharedPage } from '../net/metrics-page.js';
import { Router } from '../net/router.js';
import { servedDocument } from '../openapi/openapi-document.js';
import { AdminAccess, isLoopback } from './admin-access.js';
import { AdminCall, type AdminPort, type AnyAdminRoute, plainRoutes } from './admin-call.js';
import { adminDocument } from './admin-document.js';
import type { AdminPipeline, AdminRequest } from './admin-endpoints.js';
import { type AdminRoute, adminRoutes } from './admin-routes.js';
import { type ClusterPipelines, clusterRoutes } from './cluster-endpoints.js';
import type { EventFeed } from './event-feed.js';
import { EventStreams } from './event-stream.js';
import { readPageFiles } from './page-files.js';
import { SlicedWork } from './sliced-work.js';

const MAX_BODY_BYTES = 64 * 1024;
const REQUEST_TIMEOUT_MS = 10_000;
const CLOSE_TIMEOUT_MS = 1000;

export interface AdminServerOptions {
  /** The served pipelines, or those of a cluster, which come and go. */
  readonly pipelines: readonly AdminPipeline[] | { readonly cluster: ClusterPipelines };
  readonly version: string;
  readonly feed: EventFeed;
  readonly host?: string;
  readonly port: number;
  /** Bearer token; only health probes need none. */
  readonly token?: string;
  readonly metrics?: MetricsPage | undefined;
  /** Folder of the built page for `/`; without it, `/` is unknown. */
  readonly pageFolder?: string;
  readonly nowMs?: () => number;
  readonly onDefect?: (error: unknown) => void;
}

export interface RunningAdminServer {
  readonly url: string;
  /** Ends streams, and waits at most a second for running requests. */
  close(): Promise<void>;
}

/** Rejects with AppError PORT_IN_USE, or WRONG_USAGE if there is no token and `host` is not loopback. */
export async function startAdminServer(options: AdminServerOptions): Promise<RunningAdminServer> {
  const { host = '127.0.0.1', port, token } = options;
  if (token === undefined && !isLoopback(host)) {
    const message = `The admin port on ${host} can be reached from other machines and needs a token (--admin-token-file).`;
    throw new AppError('WRONG_USAGE', message);
  }
  let phase: ServingPhase = 'serving';
  const admin = adminPortOf(options, () => phase);
  const place = { host, port };
  const server = await startHttpServer(
    { place, requestTimeoutMs: REQUEST_TIMEOUT_MS, limits: smallPort },
    (exchange) => {
      void new AdminCall(admin, exchange).serve();
    },
  );
  return {
    url: server.url,
    close: async () => {
      phase = 'closing';
      admin.streams.close();
      await server.close(CLOSE_TIMEOUT_MS);
    },
  };
}

function adminPortOf(options: AdminServerOptions, phase: () => ServingPhase): AdminPort {
  const {
    pipelines,
    token,
    feed,
    metrics,
    pageFolder,
    nowMs = () => performance.now(),
    onDefect = warnOfDefect,
  } = options;
  const plain = metrics === undefined ? plainRoutes.filter(({ kind }) => kind !== 'metrics') : plainRoutes;
  const subject = subjectOf(pipelines);
  const access = new AdminAccess(token, nowMs);
  const files = pageFolder === undefined ? [] : readPageFiles(pageFolder);
  const page = files.map((file) => ({ method: 'GET' as const, path: file.path, kind: 'page' as const, file }));
  return {
    rules: {
      maxBodyBytes: MAX_BODY_BYTES,
      inbound: new InboundBytes(),
      outbound: new BytesInFlight(),
      pages: new PageBytes(),
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      phase,
      onDefect,
      onStageFailure: warnOfStageFailure,
      onAnswer: () => {},
    },
    router: new Router<AnyAdminRoute>([...page, ...plain, ...subject.routes]),
    access,
    pipelines: subject.pipelines,
    ready: subject.ready,
    streams: new EventStreams(feed),
    slices: new SlicedWork({ countWork: (slice) => access.countWork(slice) }),
    metrics: metrics && new SharedPage(metrics),
    document: servedDocument(() => adminDocument(options.version, plain)),
  };
}

/** Pipelines of a port, and its routes with these pipelines. */
function subjectOf(pipelines: AdminServerOptions['pipelines']) {
  if ('cluster' in pipelines) {
    const { cluster } = pipelines;
    // An operator is ready without its pipelines.
    return { pipelines: cluster, routes: boundRoutes(clusterRoutes, cluster), ready: () => [] };
  }
  const all = new Map(pipelines.map((pipeline) => [pipeline.spec.name, pipeline]));
  const ready = () => [...all].map(([name, { runner }]) => ({ name, ready: runner.ready }));
  return { pipelines: all, routes: boundRoutes(adminRoutes, all), ready };
}

const boundRoutes = <Pipeline>(routes: readonly AdminRoute<Pipeline>[], pipelines: ReadonlyMap<string, Pipeline>) =>
  routes.map(({ endpoint, ...route }) => ({
    ...route,
    kind: 'route' as const,
    ask: (request: Omit<AdminRequest, 'pipelines'>) =>
      endpoint({ ...request, pipelines } as AdminRequest<never, Pipeline>),
  }));
