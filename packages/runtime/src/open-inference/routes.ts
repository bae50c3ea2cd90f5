/** Which endpoint answers a path, and which methods it allows. */
import { AppError } from '@equipoise/core';
import type { MetricsPage } from '../observe/metrics-page.js';
import type { Endpoint } from './endpoint.js';
import { live, pipelineReady, ready } from './health-endpoints.js';
import { infer } from './infer-endpoint.js';
import { modelMetadata, serverMetadata } from './metadata-endpoints.js';
import { metrics } from './metrics-endpoint.js';
import { run } from './run-endpoint.js';

/** A way into the server; `{pipeline}` stands for any one segment. */
export interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: string;
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
  readonly #routes: readonly (Route & { readonly segments: readonly string[] })[];

  constructor(all: readonly Route[]) {
    this.#routes = all.map((route) => ({ ...route, segments: segmentsOf(route.path) }));
  }

  /** The route of a request (HEAD counts as GET); AppError NOT_FOUND lists the paths, METHOD_NOT_ALLOWED the methods. */
  find(method: string, path: string): RouteMatch {
    const segments = segmentsOf(path);
    const matching = this.#routes.filter((route) => matches(route.segments, segments));
    const [first] = matching;
    if (first === undefined) {
      const paths = this.#routes.map((route) => `${route.method} ${route.path}`);
      throw new AppError('NOT_FOUND', `There is no such path; there are ${paths.join(', ')}.`, { details: { paths } });
    }
    const wanted = method === 'HEAD' ? 'GET' : method;
    const route = matching.find((candidate) => candidate.method === wanted);
    if (route === undefined) {
      const allow = matching.flatMap((candidate) =>
        candidate.method === 'GET' ? ['GET', 'HEAD'] : [candidate.method],
      );
      throw new AppError('METHOD_NOT_ALLOWED', `${first.path} allows ${allow.join(', ')}.`, { details: { allow } });
    }
    const at = route.segments.indexOf('{pipeline}');
    const { endpoint, purpose } = route;
    return { endpoint, purpose, pipelineName: at < 0 ? '' : decoded(segments[at] ?? '') };
  }
}

function segmentsOf(path: string): readonly string[] {
  return (path.endsWith('/') ? path.slice(0, -1) : path).split('/').slice(1);
}

function matches(pattern: readonly string[], segments: readonly string[]): boolean {
  return (
    pattern.length === segments.length &&
    pattern.every((part, i) => (part === '{pipeline}' ? segments[i] !== '' : part === segments[i]))
  );
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new AppError('MALFORMED_REQUEST', 'The path has a % that is not followed by the code of a character.');
  }
}
