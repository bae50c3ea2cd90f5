/** The OpenAPI document of the admin port. */
import { z } from 'zod';
import {
  documentOperation,
  json,
  liveOperation,
  metricsOperation,
  readyOperation,
} from '../openapi/common-operations.js';
import { type Operation, openApiDocument } from '../openapi/openapi-document.js';
import { type AdminRoute, adminRoutes } from './admin-routes.js';

const DESCRIPTION =
  'Observes and controls a server. docs/reference/admin-api.md explains access, limits, actions and events.';

/** Operations of the routes that are not for pipelines, by path. */
export const plainOperations = {
  '/livez': liveOperation,
  '/readyz': readyOperation,
  '/metrics': metricsOperation,
  '/openapi.json': documentOperation,
  '/admin/events': {
    id: 'events',
    summary: 'Streams events as server-sent events.',
    query: z.object({
      pipeline: z.string().optional().describe('Only events of this pipeline.'),
      after: z.int().optional().describe('Begins after this event.'),
    }),
    headers: z.object({ 'Last-Event-ID': z.int().optional().describe('Like `after`.') }),
    answer: { 'text/event-stream': 'text' },
    refusals: 'admin',
  },
} satisfies Readonly<Record<string, Operation>>;

function operationOf({ id, summary, query, body, schema, refusals = 'admin' }: AdminRoute): Operation {
  return {
    id,
    summary,
    ...(query && { query }),
    ...(body && { body: { content: json(body), isRequired: !body.safeParse({}).success } }),
    answer: json(schema),
    refusals,
  };
}

/** Route outside of a pipeline. */
interface PlainPath {
  readonly method: AdminRoute['method'];
  readonly path: keyof typeof plainOperations;
}

/** `plain`: the routes that are not for pipelines. */
export function adminDocument(version: string, plain: readonly PlainPath[]): object {
  const routes = [
    ...plain.map(({ method, path }) => ({ method, path, operation: plainOperations[path] })),
    ...adminRoutes.map((route) => ({ method: route.method, path: route.path, operation: operationOf(route) })),
  ];
  const facts = { title: 'Equipoise, admin port', version, description: DESCRIPTION };
  // Pages of other sites and, without a token, requests for other hosts.
  return openApiDocument(facts, routes, { refusals: [403] });
}
