/**
 * The page docs/reference/admin-api.md: every route of the admin port with its input and answer, from the routes
 * themselves.
 */

import { inputFields } from '../packages/runtime/src/admin/admin-bodies.js';
import { type AdminRoute, adminRoutes } from '../packages/runtime/src/admin/admin-routes.js';
import { markdownTable } from './markdown-table.js';

const INTRODUCTION = `Over the admin API, people and programs observe and control a server. \`equipoise serve FILE\` opens it on \`http://127.0.0.1:8081\`; \`--admin-host\` and \`--admin-port\` change this address, \`--no-admin-port\` switches the API off. [Operating](../guide/operating.md) shows how to use it. \`npm run generate\` generates this page.

Without \`--admin-token-file\` the port listens on loopback addresses only, and refuses requests for other hosts or from pages of other sites (403). With \`--admin-token-file\`, each request except \`/livez\` and \`/readyz\` needs \`authorization: Bearer TOKEN\`.

Bodies are JSON objects (\`content-type: application/json\`, at most 64 KiB); an empty body is an object without fields. In the long run 50 \`GET\` requests per second (bursts up to 100) and 5 \`POST\` requests per second (bursts up to 20) are allowed, and answers may take a quarter of the time of the serving thread (bursts up to 1.5 s); further requests get 429 with \`Retry-After\`. Errors have the form of [the serving port](http-api.md#errors). Their statuses: 400 body is not JSON, 401 no valid token, 403 (above), 404 unknown path or name, 409 not possible now, 413 body too large, 415 wrong media type, 422 wrong fields (the message lists them all), 429 too many requests.

The decision log records every change of mode, pins or plan with its reason.`;

const EVENTS = `## GET /admin/events

Streams new events as server-sent events. \`?pipeline=NAME\` selects one pipeline. With the header \`Last-Event-ID\`, or \`?after=ID\`, the stream begins with the events after this ID, if they are among the last 256. IDs count from the start of the server; after a restart, an earlier and larger ID gives all events. Each \`data\` is \`{atEpochMs, pipeline, kind, …}\`. A client with more than 256 KiB of unread events is disconnected. At most 16 clients may listen.

${markdownTable(
  ['kind', 'when', 'fields'],
  [
    [
      '`decided`',
      'the loop decided, or a person applied a plan or rolled back',
      '`id, trigger, mode, decision, reason, forecast`',
    ],
    ['`in-force`', 'the changes of a decision were applied', '`plan, tookMs`'],
    ['`amended`', 'an outcome or observation was added to a decision', '`id, outcome?, observed?`'],
    ['`manual`', 'a person changed the mode or pins', '`id, mode, action, reason?, pins?`'],
    ['`canary`', 'a canary began a step or ended', '`stageId, variantId, state, fraction, why?`'],
    ['`replica-replaced`', 'a replica failed; the server replaces it', '`stageId, message`'],
    ['`input-quarantined`', 'an input was quarantined', '`stageId, tenant?, digest`'],
    [
      '`failed`',
      'a step of the loop failed, or (`accuracy`) the accuracy is lower than expected; the running plan continues to serve',
      '`step, message`',
    ],
    ['`recovered`', 'a failed step works again, or the accuracy is as expected again', '`step`'],
  ],
)}`;

/** Markdown of the page. */
export function renderAdminApiPage(): string {
  const rows = adminRoutes.map((route) => [`[\`${route.method} ${route.path}\`](#${anchorOf(route)})`, route.summary]);
  const probes = [
    ['`GET /livez`', 'Answers 200 while the process runs.'],
    ['`GET /readyz`', 'Answers 200 if all pipelines are ready, otherwise 503.'],
    ['`GET /metrics`', '[Metrics](metrics.md) for Prometheus.'],
    ['`GET /openapi.json`', 'The OpenAPI 3.1 document of this port, also as [a file](openapi-admin.json).'],
    ['[`GET /admin/events`](#get-adminevents)', 'Streams events.'],
  ];
  const page = [
    '# Admin API',
    INTRODUCTION,
    markdownTable(['path', 'what it does'], [...rows, ...probes]),
    ...adminRoutes.map(routeSection),
    EVENTS,
  ];
  return `${page.join('\n\n')}\n`;
}

const anchorOf = ({ method, path }: AdminRoute): string =>
  `${method} ${path}`
    .toLowerCase()
    .replace(/[^a-z0-9 -]/g, '')
    .replaceAll(' ', '-');

function routeSection(route: AdminRoute): string {
  const { method, path, summary, answer, body, query } = route;
  return [
    `## ${method} ${path}`,
    summary,
    ...(query === undefined ? [] : [`In the query:\n\n${fieldTable(query)}`]),
    ...(body === undefined ? [] : [`In the body:\n\n${fieldTable(body)}`]),
    `Answers ${answer}.`,
  ].join('\n\n');
}

interface FieldSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
}

function fieldTable(schema: NonNullable<AdminRoute['body']>): string {
  const { fields, required } = inputFields(schema);
  const rows = Object.entries(fields as Record<string, FieldSchema>).map(([name, field]) => [
    `\`${name}\`${required.includes(name) ? ' (required)' : ''}`,
    typeOf(field),
    field.description ?? '',
  ]);
  return markdownTable(['field', 'type', 'meaning'], rows);
}

function typeOf(field: FieldSchema): string {
  const { type = 'object', minimum, exclusiveMinimum, maximum, maxLength } = field;
  // Integer schemas have the bounds of exact floating-point numbers, which the page does not show.
  const most = maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER ? undefined : maximum;
  const bounds = [
    ...(minimum === undefined ? [] : [`at least ${minimum}`]),
    ...(exclusiveMinimum === undefined ? [] : [`above ${exclusiveMinimum}`]),
    ...(most === undefined ? [] : [`at most ${most}`]),
    ...(maxLength === undefined ? [] : [`at most ${maxLength} characters`]),
    ...(field.default === undefined ? [] : [`default \`${JSON.stringify(field.default)}\``]),
  ];
  return [type, ...bounds].join(', ');
}
