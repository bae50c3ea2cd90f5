import { expect, it } from 'vitest';
import { plainRoutes } from '../admin/admin-call.js';
import { adminDocument } from '../admin/admin-document.js';
import { adminRoutes } from '../admin/admin-routes.js';
import { restDocument, restRoutes } from '../open-inference/rest/rest-routes.js';

interface Document {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly operationId: string; readonly responses: object }>>>
  >;
  readonly components: { readonly schemas: object };
}

const page = { contentType: 'text/plain', text: () => Promise.resolve('') };
const serving = restDocument('1', page) as Document;
const admin = adminDocument('1', plainRoutes) as Document;

const targetsOf = ({ paths }: Document): readonly string[] =>
  Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );

it('describes every route, and no other', () => {
  const targets = (routes: readonly { readonly method: string; readonly path: string }[]) =>
    routes.map(({ method, path }) => `${method} ${path}`).sort();
  expect([...targetsOf(serving)].sort()).toEqual(targets(restRoutes('1', page)));
  expect([...targetsOf(admin)].sort()).toEqual(targets([...plainRoutes, ...adminRoutes]));
});

/** The server refuses slow headers before it knows the route. */
it('has the answers to malformed and slow requests at every operation', () => {
  for (const { paths } of [serving, admin])
    for (const { operationId, responses } of Object.values(paths).flatMap((path) => Object.values(path)))
      expect([operationId, Object.keys(responses)]).toEqual([operationId, expect.arrayContaining(['400', '408'])]);
});

it.each([
  ['serving', serving],
  ['admin', admin],
])('the document of the %s port has one id per operation and no broken reference', (_, document) => {
  const ids = Object.values(document.paths).flatMap((path) =>
    Object.values(path).map(({ operationId }) => operationId),
  );
  expect(new Set(ids).size).toBe(ids.length);
  const text = JSON.stringify(document);
  for (const [, kind, name] of text.matchAll(/"#\/components\/(\w+)\/(\w+)"/g)) {
    expect(document.components).toHaveProperty([kind ?? '', name ?? '']);
  }
  expect(text).not.toContain('$defs');
});
