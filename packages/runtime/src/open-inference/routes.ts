/** Which endpoint answers a path, and which methods it allows. */
import type { MetricsPage } from '../observe/metrics-page.js';
import type { Endpoint } from './endpoint.js';
import { live, pipelineReady, ready } from './health-endpoints.js';
import { infer } from './infer-endpoint.js';
import { modelMetadata, serverMetadata } from './metadata-endpoints.js';
import { metrics } from './metrics-endpoint.js';
import { PathTable, type Way } from './path-table.js';
import { run } from './run-endpoint.js';

/** A way into the serving port; its path names at most a `{pipeline}`. */
export interface Route extends Way {
  readonly endpoint: Endpoint;
  readonly purpose: Purpose;
}

/** What a way in is for: a `probe` says nothing but whether the server is well and needs no token; probes and metrics are not counted. */
export type Purpose = 'inference' | 'metadata' | 'probe' | 'metrics';

/** A route found for a request. */
export interface RouteMatch {
  readonly endpoint: Endpoint;
  readonly pipelineName: string;
  readonly purpose: Purpose;
}

/** All routes of the serving port; `/metrics` is among them where there is a page for it. */
export function routes(version: string, page?: MetricsPage): readonly Route[] {
  return [
    ...(page === undefined
      ? []
      : [{ method: 'GET', path: '/metrics', endpoint: metrics(page), purpose: 'metrics' } as const]),
    { method: 'GET', path: '/livez', endpoint: live, purpose: 'probe' },
    { method: 'GET', path: '/readyz', endpoint: ready, purpose: 'probe' },
    { method: 'GET', path: '/v2', endpoint: serverMetadata(version), purpose: 'metadata' },
    { method: 'GET', path: '/v2/health/live', endpoint: live, purpose: 'probe' },
    { method: 'GET', path: '/v2/health/ready', endpoint: ready, purpose: 'probe' },
    { method: 'GET', path: '/v2/models/{pipeline}', endpoint: modelMetadata, purpose: 'metadata' },
    { method: 'GET', path: '/v2/models/{pipeline}/ready', endpoint: pipelineReady, purpose: 'metadata' },
    { method: 'POST', path: '/v2/models/{pipeline}/infer', endpoint: infer, purpose: 'inference' },
    { method: 'POST', path: '/v1/pipelines/{pipeline}/run', endpoint: run, purpose: 'inference' },
  ];
}

/** Finds routes by method and path. */
export class RouteTable {
  readonly #table: PathTable<Route>;

  constructor(all: readonly Route[]) {
    this.#table = new PathTable(all);
  }

  /** The route of a request; throws as `PathTable.find` does. */
  find(method: string, path: string): RouteMatch {
    const { way, names } = this.#table.find(method, path);
    return { endpoint: way.endpoint, purpose: way.purpose, pipelineName: names['pipeline'] ?? '' };
  }
}
