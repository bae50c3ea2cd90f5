import { type ErrorCode, errorCodes } from '@equipoise/core/model';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { plainRoutes } from '../admin/admin-call.js';
import { adminDocument } from '../admin/admin-document.js';
import { adminRoutes } from '../admin/admin-routes.js';
import { restDocument, restRoutes } from '../open-inference/rest/rest-routes.js';
import { type DocumentedRoute, openApiDocument } from './openapi-document.js';

type Content = Readonly<Record<string, { readonly schema?: Readonly<Record<string, unknown>> }>>;

interface DocumentedAnswer {
  readonly headers?: Readonly<Record<string, object>>;
  /** Absent from a reference to an answer of the components. */
  readonly content?: Content;
}

interface DocumentedOperation {
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, DocumentedAnswer>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, DocumentedOperation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, object>>;
    readonly responses: Readonly<Record<string, DocumentedAnswer>>;
  };
}

const page = { contentType: 'text/plain', text: () => Promise.resolve('') };
const serving = restDocument('1', page) as Document;
const admin = adminDocument('1', plainRoutes) as Document;

const targetsOf = ({ paths }: Document): readonly string[] =>
  Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );

const operationsOf = ({ paths }: Document): readonly DocumentedOperation[] =>
  Object.values(paths).flatMap((path) => Object.values(path));

it('describes every route, and no other', () => {
  const targets = (routes: readonly { readonly method: string; readonly path: string }[]) =>
    routes.map(({ method, path }) => `${method} ${path}`).sort();
  expect([...targetsOf(serving)].sort()).toEqual(targets(restRoutes('1', page)));
  expect([...targetsOf(admin)].sort()).toEqual(targets([...plainRoutes, ...adminRoutes]));
});

/** The server refuses slow headers before it knows the route. */
it('has the answers to malformed and slow requests at every operation', () => {
  for (const document of [serving, admin])
    for (const { operationId, responses } of operationsOf(document))
      expect([operationId, Object.keys(responses)]).toEqual([operationId, expect.arrayContaining(['400', '408'])]);
});

it.each([
  ['serving', serving],
  ['admin', admin],
])('the document of the %s port has one id per operation and no broken reference', (_, document) => {
  const ids = operationsOf(document).map(({ operationId }) => operationId);
  expect(new Set(ids).size).toBe(ids.length);
  const text = JSON.stringify(document);
  for (const [, kind, name] of text.matchAll(/"#\/components\/(\w+)\/([\w-]+)"/g)) {
    expect(document.components).toHaveProperty([kind ?? '', name ?? '']);
  }
  expect(text).not.toContain('$defs');
});

/** Generators of clients omit a body without a schema. */
it('has a schema for every body and every answer, with bytes as OpenAPI 3.1 and generators know them', () => {
  const contents = [serving, admin].flatMap((document) => [
    ...Object.values(document.components.responses),
    ...operationsOf(document).flatMap(({ requestBody = {}, responses }) => [requestBody, ...Object.values(responses)]),
  ]);
  for (const [type, { schema }] of contents.flatMap(({ content = {} }: DocumentedAnswer) => Object.entries(content))) {
    expect([type, schema]).toEqual([type, expect.any(Object)]);
    if (type.startsWith('text/')) expect(schema).toEqual({ type: 'string' });
  }
  const { infer, run } = Object.fromEntries(operationsOf(serving).map((each) => [each.operationId, each]));
  const octets = { type: 'string', format: 'binary', contentMediaType: 'application/octet-stream' };
  expect(infer?.requestBody?.content['application/octet-stream']?.schema).toEqual(octets);
  expect(infer?.responses['200']?.content?.['application/octet-stream']?.schema).toEqual(octets);
  expect(run?.requestBody?.content['application/octet-stream']?.schema).toEqual(octets);
  expect(run?.requestBody?.content['*/*']?.schema).toEqual({ type: 'string', format: 'binary' });
});

it('documents the headers of answers', () => {
  const named = (answer: DocumentedAnswer | undefined) => Object.keys(answer?.headers ?? {});
  for (const document of [serving, admin]) {
    const { responses } = document.components;
    expect(named(responses['Refused400'])).toEqual(['x-request-id']);
    expect(named(responses['Refused401'])).toEqual(['x-request-id', 'www-authenticate']);
    expect(named(responses['Refused429'])).toEqual(['x-request-id', 'retry-after']);
    expect(named(responses['Refused503'])).toEqual(['x-request-id', 'retry-after']);
    for (const { operationId, responses: answers } of operationsOf(document))
      expect([operationId, named(answers['200'])]).toEqual([operationId, expect.arrayContaining(['x-request-id'])]);
  }
  const { infer, ready } = Object.fromEntries(operationsOf(serving).map((each) => [each.operationId, each]));
  expect(named(infer?.responses['200'])).toContain('inference-header-content-length');
  expect(named(ready?.responses['200'])).toContain('x-equipoise-instance');
  expect(named(ready?.responses['503'])).toEqual(['x-request-id', 'x-equipoise-instance', 'retry-after']);
});

it('documents the headers of requests that run a pipeline', () => {
  const headers = operationsOf(serving).flatMap(({ operationId, parameters = [] }) => {
    const names = parameters.filter((parameter) => parameter.in === 'header').map(({ name }) => name);
    return names.length === 0 ? [] : [[operationId, names]];
  });
  const common = ['x-request-id', 'traceparent', 'tracestate'];
  expect(headers).toEqual([
    ['infer', [...common, 'Equipoise-Sent-Together', 'Inference-Header-Content-Length']],
    ['aggregate', common],
    ['run', common],
  ]);
});

it('documents 403 on the admin port only', () => {
  const allowed = (document: Document) => operationsOf(document).filter(({ responses }) => '403' in responses);
  expect(allowed(serving)).toEqual([]);
  const probes = ['live', 'ready'];
  expect(allowed(admin).map(({ operationId }) => operationId)).toEqual(
    operationsOf(admin)
      .map(({ operationId }) => operationId)
      .filter((id) => !probes.includes(id)),
  );
});

it('documents every status with which replicas of a change by hand may fail', () => {
  const codes = ['MODEL_LOAD_FAILED', 'ARTIFACT_UNAVAILABLE', 'ARTIFACT_CHANGED', 'FILE_NOT_FOUND', 'CANARY_FAILED'];
  const statuses = codes.map((code) => String(errorCodes[code as ErrorCode].httpStatus));
  const changes = operationsOf(admin).filter(({ responses }) => '502' in responses);
  expect(changes.map(({ operationId }) => operationId)).toEqual(['apply', 'rollBack']);
  for (const { responses } of changes) expect(Object.keys(responses)).toEqual(expect.arrayContaining(statuses));
});

it('has an example of every JSON body, which the route accepts', () => {
  const bodies = [
    ...restRoutes('1', page).flatMap(({ operation: { id, body } }) => {
      const schema = body?.content['application/json'];
      return typeof schema === 'object' ? [{ id, schema }] : [];
    }),
    ...adminRoutes.flatMap(({ id, body }) => (body === undefined ? [] : [{ id, schema: body }])),
  ];
  expect(bodies.length).toBeGreaterThan(10);
  for (const { id, schema } of bodies) {
    const { examples = [] } = schema.meta() ?? {};
    const accepted = (examples as readonly unknown[]).map((example) => schema.safeParse(example).success);
    expect([id, accepted]).toEqual([id, accepted.map(() => true)]);
    expect([id, accepted.length > 0]).toEqual([id, true]);
  }
  const documented = [serving, admin].flatMap((document) =>
    operationsOf(document).flatMap(({ operationId, requestBody }) => {
      const schema = requestBody?.content['application/json']?.schema;
      if (schema === undefined) return [];
      const [, name] = /^#\/components\/schemas\/(.*)$/.exec(String(schema['$ref'])) ?? [];
      const { examples } = (name === undefined ? schema : document.components.schemas[name]) as { examples?: unknown };
      return [{ operationId, examples }];
    }),
  );
  expect(documented).toHaveLength(bodies.length);
  for (const each of documented) expect(each).toEqual({ ...each, examples: expect.any(Array) });
});

it('refuses a name that stands for two forms, such as a default in a body and in an answer', () => {
  const schema = z.object({ count: z.number().default(1) }).meta({ id: 'Counted' });
  const json = { 'application/json': schema };
  const body = { content: json, isRequired: true };
  const route: DocumentedRoute = {
    ...{ method: 'POST', path: '/count' },
    operation: { id: 'count', summary: 'Counts.', body, answer: json, refusals: 'admin' },
  };
  expect(() => openApiDocument({ title: '', version: '1', description: '' }, [route])).toThrow(
    'the schema Counted has one form',
  );
});
