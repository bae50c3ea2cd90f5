/**
 * OpenAPI 3.1 documents of the ports. Each route carries its operation, so no route is left out and no operation lacks
 * a route. Schemas are of zod.
 */
import { invariant } from '@equipoise/core/model';
import { z } from 'zod';
import type { Answer } from '../net/answer.js';
import type { Route } from '../net/router.js';

/** A body or an answer by media type: the schema of its JSON, or text or bytes. */
export type Content = Readonly<Record<string, z.ZodType | 'text' | 'bytes'>>;

/** Caller statuses that follow from what a route does. */
export type Refusals = 'probe' | 'page' | 'inference' | 'admin' | 'change';

export interface Operation {
  /** Name of the operation in generated clients, in camel case. */
  readonly id: string;
  readonly summary: string;
  readonly query?: z.ZodObject;
  readonly headers?: z.ZodObject;
  readonly body?: { readonly content: Content; readonly isRequired: boolean };
  /** Answer with status 200. */
  readonly answer: Content;
  /** Headers that only this answer has. */
  readonly answerHeaders?: readonly AnswerHeader[];
  readonly refusals: Refusals;
  /** Answer with status 503 of a probe. */
  readonly notReady?: z.ZodType;
}

export interface DocumentedRoute extends Route {
  readonly operation: Operation;
}

export interface DocumentFacts {
  readonly title: string;
  readonly version: string;
  readonly description: string;
}

export interface PortRules {
  /** Statuses that any operation of the port may answer, except probes. */
  readonly refusals: readonly number[];
}

type Json = Readonly<Record<string, unknown>>;
type Direction = 'input' | 'output';

/** Body of every refusal. */
const refusalBody = z
  .looseObject({
    error: z.string().describe('What is wrong, for people.'),
    code: z.string().describe('Code of the error; the page of errors lists all.'),
    reason: z.string().optional().describe('Why the request was dropped.'),
    details: z.looseObject({}),
    docs: z.string(),
  })
  .meta({ id: 'Refusal' });

const REFUSED: Readonly<Record<number, string>> = {
  400: 'The path, the parameters or the body do not have the documented form.',
  401: 'The server requires a token, and the request has no valid one.',
  403: 'The port serves programs of its own machine only, or the request is from a page of another site.',
  404: 'The path or the name does not exist.',
  408: 'The request did not arrive in time, or a part of another source is missing.',
  409: 'Not possible in the present state.',
  413: 'The body is too large.',
  415: 'The media type is not accepted.',
  422: 'Fields or tensors are not as they have to be, or a stage rejects the input.',
  429: 'Too many requests; `Retry-After` says when to send again.',
  500: 'A stage or the server failed.',
  502: 'The model of a variant cannot be fetched.',
  503: 'The request was dropped; `Retry-After` says when to send again.',
  504: 'The deadline passed before the answer.',
};

const ADMIN_STATUSES = [400, 401, 404, 408, 409, 413, 415, 422, 429, 500, 503];

const STATUSES: Readonly<Record<Refusals, readonly number[]>> = {
  probe: [400, 408, 503],
  page: [400, 401, 404, 408, 429, 500, 503],
  inference: [400, 401, 404, 408, 409, 413, 415, 422, 429, 500, 503, 504],
  admin: ADMIN_STATUSES,
  // A change by hand starts replicas, and is refused with their error.
  change: [...ADMIN_STATUSES, 502],
};

/** Headers of answers. None is required: a request that is refused before it is read has no `x-request-id`. */
const HEADERS = {
  'x-request-id': { description: 'Id of the request: the one that the client sent, or a new one.', type: 'string' },
  'retry-after': { description: 'Seconds after which to send again.', type: 'integer', minimum: 1, maximum: 30 },
  'www-authenticate': { description: 'Kind of the token.', type: 'string', const: 'Bearer' },
  'x-equipoise-instance': { description: 'Identifies the running server.', type: 'string' },
  'inference-header-content-length': {
    description: 'Bytes of the JSON before raw tensors. Absent if all tensors are JSON.',
    type: 'integer',
    minimum: 0,
  },
} as const;

export type AnswerHeader = keyof typeof HEADERS;

const REFUSAL_HEADERS: Readonly<Record<number, readonly AnswerHeader[]>> = {
  401: ['www-authenticate'],
  429: ['retry-after'],
  503: ['retry-after'],
};

const answerHeaders = (names: readonly AnswerHeader[] = []): Json =>
  Object.fromEntries(['x-request-id', ...names].map((name) => [name, { $ref: `#/components/headers/${name}` }]));

/** Endpoint of a document that is made at the first request. */
export function servedDocument(make: () => object): () => Answer {
  let text: string | undefined;
  return () => {
    text ??= JSON.stringify(make());
    return { status: 200, text };
  };
}

/** The document as a value that JSON can hold. */
export function openApiDocument(
  facts: DocumentFacts,
  routes: readonly DocumentedRoute[],
  rules: PortRules = { refusals: [] },
): Json {
  const schemas = new NamedSchemas();
  const refusal = schemas.json(refusalBody, 'output');
  const refused = ([status, description]: [string, string]) => [
    `Refused${status}`,
    {
      description,
      headers: answerHeaders(REFUSAL_HEADERS[Number(status)]),
      content: { 'application/json': { schema: refusal } },
    },
  ];
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    const { method, path } = route;
    paths[path] ??= {};
    paths[path][method.toLowerCase()] = operationJson(route, schemas, rules);
  }
  return {
    openapi: '3.1.0',
    info: { ...facts, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: '/' }],
    security: [{}, { token: [] }],
    paths,
    components: {
      schemas: schemas.all(),
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      headers: Object.fromEntries(
        Object.entries(HEADERS).map(([name, { description, ...schema }]) => [name, { description, schema }]),
      ),
      responses: Object.fromEntries(Object.entries(REFUSED).map(refused)),
    },
  };
}

function operationJson({ path, operation }: DocumentedRoute, schemas: NamedSchemas, rules: PortRules): Json {
  const { id, summary, query, headers, body, answer, refusals, notReady } = operation;
  const parameters = [
    ...pathParameters(path),
    ...fieldParameters('query', query, schemas),
    ...fieldParameters('header', headers, schemas),
  ];
  const content = (of: Content, io: Direction) =>
    Object.fromEntries(
      Object.entries(of).map(([type, schema]) => [
        type,
        { schema: typeof schema === 'string' ? rawSchema(type, schema) : schemas.json(schema, io) },
      ]),
    );
  const statuses = [...STATUSES[refusals], ...(refusals === 'probe' ? [] : rules.refusals)];
  const refused = statuses.map((status) => [status, { $ref: `#/components/responses/Refused${status}` }]);
  const unready = notReady && { 'application/json': z.union([notReady, refusalBody]) };
  return {
    operationId: id,
    summary,
    ...(refusals === 'probe' && { security: [{}] }),
    ...(parameters.length > 0 && { parameters }),
    ...(body && { requestBody: { required: body.isRequired, content: content(body.content, 'input') } }),
    responses: {
      200: {
        description: 'Done.',
        headers: answerHeaders(operation.answerHeaders),
        content: content(answer, 'output'),
      },
      ...Object.fromEntries(refused),
      ...(unready && {
        503: {
          description: 'Not ready.',
          headers: answerHeaders([...(operation.answerHeaders ?? []), 'retry-after']),
          content: content(unready, 'output'),
        },
      }),
    },
  };
}

/** OpenAPI 3.1 states bytes by `contentMediaType`. Generators of clients know them by the older `format`. */
function rawSchema(mediaType: string, kind: 'text' | 'bytes'): Json {
  if (kind === 'text') return { type: 'string' };
  const isRange = mediaType.includes('*');
  return { type: 'string', format: 'binary', ...(!isRange && { contentMediaType: mediaType }) };
}

function pathParameters(path: string): readonly Json[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string', minLength: 1 },
  }));
}

function fieldParameters(
  place: 'query' | 'header',
  fields: z.ZodObject | undefined,
  schemas: NamedSchemas,
): readonly Json[] {
  if (fields === undefined) return [];
  const { properties = {}, required = [] } = schemas.json(fields, 'input') as {
    readonly properties?: Readonly<Record<string, Json>>;
    readonly required?: readonly string[];
  };
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: place,
    required: required.includes(name),
    ...(description !== undefined && { description }),
    schema,
  }));
}

/** Schemas with an `id` (`meta`) become components of the document. */
class NamedSchemas {
  readonly #byName = new Map<string, Json>();

  /** The schema in JSON, or a reference to its component. */
  json(schema: z.ZodType, io: Direction): Json {
    // Inside another schema, one with an id is a reference.
    const { properties, $defs = {} } = z.toJSONSchema(z.object({ it: schema }), {
      io,
      unrepresentable: 'any',
      override: withExamples,
    });
    for (const [name, definition] of Object.entries($defs)) this.#keep(name, withReferences(definition));
    return withReferences(properties?.['it'] as object);
  }

  /** A name stands for one schema, in bodies and in answers. */
  #keep(name: string, definition: Json): void {
    const known = this.#byName.get(name) ?? definition;
    invariant(JSON.stringify(known) === JSON.stringify(definition), `the schema ${name} has one form`);
    this.#byName.set(name, definition);
  }

  all(): Json {
    return Object.fromEntries([...this.#byName].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

/** Zod omits the examples of an input that it transforms; ours are inputs. */
function withExamples({
  zodSchema,
  jsonSchema,
}: {
  zodSchema: z.core.$ZodType;
  jsonSchema: z.core.JSONSchema.BaseSchema;
}) {
  const { examples } = z.globalRegistry.get(zodSchema) ?? {};
  if (examples !== undefined) Object.assign(jsonSchema, { examples });
}

function withReferences(json: object): Json {
  return JSON.parse(JSON.stringify(json).replaceAll('"#/$defs/', '"#/components/schemas/')) as Json;
}
