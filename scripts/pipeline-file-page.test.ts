import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from '../packages/pipeline-file/src/pipeline.test-support.js';
import { type JsonSchemaNode, pipelineJsonSchema } from '../packages/pipeline-file/src/schema/pipeline-json-schema.js';
import { EXAMPLE_PIPELINE, renderPipelineFilePage, renderPipelineFileSchema } from './pipeline-file-page.js';

const REPOSITORY = new URL('../', import.meta.url);
const committed = (path: string): string => readFileSync(new URL(path, REPOSITORY), 'utf8');

test('the JSON Schema is up to date', () => {
  expect(committed('packages/pipeline-file/pipeline-file.schema.json')).toBe(renderPipelineFileSchema());
});

test('the reference page is up to date', () => {
  expect(committed('docs/reference/pipeline-file.md')).toBe(renderPipelineFilePage());
});

test('the example of the page has neither problems nor warnings', () => {
  expect(parse(EXAMPLE_PIPELINE)).toMatchObject({ kind: 'valid', warnings: [] });
});

function withoutDescription(node: JsonSchemaNode, path: string): string[] {
  const fields = Object.entries(node.properties ?? {}).flatMap(([field, child]) => [
    ...(child.description === undefined ? [`${path}.${field}`] : []),
    ...withoutDescription(child, `${path}.${field}`),
  ]);
  const below = [...(node.items === undefined ? [] : [node.items]), ...(node.anyOf ?? [])];
  return [...fields, ...below.flatMap((child) => withoutDescription(child, path))];
}

test('every field has a description', () => {
  expect(withoutDescription(pipelineJsonSchema(), '')).toEqual([]);
});

test('every link of the page leads to a section', () => {
  const page = renderPipelineFilePage();
  const anchors = [...page.matchAll(/^## `?(.+?)`?$/gm)].map(([, title = '']) =>
    title.toLowerCase().replace(/[^a-z0-9]/g, ''),
  );
  for (const [, target = ''] of page.matchAll(/\]\(#([a-z0-9]+)\)/g)) expect(anchors).toContain(target);
});
