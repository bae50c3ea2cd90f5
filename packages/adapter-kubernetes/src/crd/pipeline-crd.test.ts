import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parsePipelineFile } from '@equipoise/pipeline-file';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { problemsOf, stored } from './api-server-check.test-support.js';
import { badPipelines, goodPipeline } from './bad-pipelines.test-support.js';
import { pipelineDefinition, pipelineSchema } from './pipeline-crd.js';
import type { StructuralSchema } from './structural-schema.js';
import { validationRules } from './validation-rules.js';

const REPOSITORY = fileURLToPath(new URL('../../../../', import.meta.url));
const origin = { fileName: 'pipeline.yaml', baseDir: REPOSITORY };
const schema = pipelineSchema();

const documentOf = (path: string) =>
  parse(readFileSync(join(REPOSITORY, path), 'utf8')) as {
    spec: { sources?: readonly object[]; control?: { mode?: string } };
  };

const pipelineFiles = [
  ...readdirSync(join(REPOSITORY, 'examples')).map((name) => `examples/${name}/pipeline.yaml`),
  'packages/app/templates/language/pipeline.yaml',
];
/** On a cluster, a pipeline has a single source. */
const clusterFiles = pipelineFiles.filter((path) => (documentOf(path).spec.sources?.length ?? 1) === 1);

describe('the versions of the custom resource', () => {
  it('are the one that the guide to upgrading names', () => {
    const guide = readFileSync(join(REPOSITORY, 'docs/guide/upgrading.md'), 'utf8');
    const { group, versions } = pipelineDefinition().spec;
    expect(versions.map(({ served, storage }) => [served, storage])).toEqual([[true, true]]);
    expect(guide).toContain(
      `The API is \`${group}/${versions[0]?.name}\`, the only version that is served and stored.`,
    );
  });
});

describe('the schema of the custom resource', () => {
  it.each(clusterFiles)('takes %s as it is', (path) => {
    const document = documentOf(path);
    const object = stored(schema, document);
    expect(problemsOf(schema, object)).toEqual([]);
    expect(object).toMatchObject(document);
  });

  it('refuses an example of several sources', () => {
    const several = pipelineFiles.filter((path) => !clusterFiles.includes(path));
    expect(several).toEqual(['examples/scanned-mail/pipeline.yaml']);
    for (const path of several)
      expect(problemsOf(schema, stored(schema, documentOf(path)))).toMatchObject([{ field: 'spec.sources' }]);
  });

  it.each(clusterFiles)('fills in what the parser would, so that %s means the same on a cluster', (path) => {
    const document = documentOf(path);
    const object = stored(schema, document) as { spec: { control: object } };
    const before = parsePipelineFile(JSON.stringify(document), origin);
    const after = parsePipelineFile(JSON.stringify(object), origin);
    if (before.kind === 'invalid') throw new Error(JSON.stringify(before.problems));
    expect(after).toMatchObject({
      kind: 'valid',
      spec: {
        ...before.spec,
        control: { ...before.spec.control, mode: document.spec.control?.mode ?? 'advise' },
      },
    });
  });

  it('takes a good pipeline, and only advises it unless it says otherwise', () => {
    const object = stored(schema, goodPipeline()) as { spec: { control: { mode: string } } };
    expect(problemsOf(schema, object)).toEqual([]);
    expect(object.spec.control.mode).toBe('advise');
    const acting = stored(schema, goodPipeline({ control: { mode: 'auto' } }));
    expect(acting).toMatchObject({ spec: { control: { mode: 'auto' } } });
  });

  it.each(badPipelines)('refuses $what', ({ object, field, message }) => {
    const problems = problemsOf(schema, stored(schema, object));
    expect(problems).toContainEqual({ field, message: expect.stringContaining(message) });
  });

  it.each(badPipelines.filter(({ object }) => object.metadata.name.length < 64))(
    'refuses no more than the parser: $what',
    ({ object }) => {
      expect(parsePipelineFile(JSON.stringify(object), origin).kind).toBe('invalid');
    },
  );

  it('has an object for every rule', () => {
    const refused = badPipelines.flatMap(({ object }) => problemsOf(schema, stored(schema, object)));
    const words = refused.map(({ message }) => message);
    for (const { message, messageExpression } of Object.values(validationRules).flat()) {
      const start = messageExpression === undefined ? message : (/'([^']*)'/.exec(messageExpression)?.[1] ?? message);
      expect(
        words.some((each) => each.startsWith(start)),
        message,
      ).toBe(true);
    }
  });

  it('has a place for every rule', () => {
    const found = new Set(nodesOf(schema).flatMap(({ node }) => node['x-kubernetes-validations'] ?? []));
    for (const rule of Object.values(validationRules).flat()) expect(found).toContain(rule);
  });
});

interface Node {
  readonly path: string;
  readonly node: StructuralSchema;
}

function nodesOf(node: StructuralSchema, path = ''): readonly Node[] {
  const fields = Object.entries(node.properties ?? {}).flatMap(([name, child]) => nodesOf(child, `${path}.${name}`));
  const below = [node.items, node.additionalProperties].filter((child) => child !== undefined);
  return [{ path, node }, ...fields, ...below.flatMap((child) => nodesOf(child, `${path}[]`))];
}

describe('every node of the schema', () => {
  const nodes = nodesOf(schema);

  it('has a type, or says that it has none', () => {
    const open = nodes.filter(({ node }) => node.type === undefined);
    for (const { node } of open) expect(node['x-kubernetes-preserve-unknown-fields']).toBe(true);
    expect(open.map(({ path }) => path)).toEqual([
      '.spec.objective',
      '.spec.sources[].to',
      '.spec.stages[].variants[].server.url',
      '.spec.stages[].variants[].resources.cpuCores',
      '.spec.edges[].fanOut.expected',
      '.spec.edges[].join',
      '.spec.edges[].when.threshold',
      '.spec.edges[].when.probability',
      '.spec.edges[].inputs[].constant.data[]',
      '.spec.routers',
      '.spec.accuracyTable',
    ]);
  });

  it('has bounds where a rule could look at it', () => {
    for (const { path, node } of nodes.filter((each) => each.path.startsWith('.spec'))) {
      if (node.type === 'array') expect(node.maxItems, path).toBeDefined();
      if (node.type === 'string' && node.enum === undefined) expect(node.maxLength, path).toBeDefined();
      if (node.additionalProperties !== undefined) expect(node.maxProperties, path).toBeDefined();
    }
  });

  it('has fields or free values, not both', () => {
    for (const { path, node } of nodes) {
      expect([node.properties, node.additionalProperties].filter(Boolean).length, path).toBeLessThan(2);
      for (const key of node['x-kubernetes-list-map-keys'] ?? []) expect(node.items?.required, path).toContain(key);
    }
  });

  it('has a default that it takes itself', () => {
    for (const { path, node } of nodes.filter((each) => each.node.default !== undefined)) {
      expect(problemsOf(node, stored(node, node.default)), path).toEqual([]);
    }
  });
});

describe('the definition', () => {
  const { metadata, spec } = pipelineDefinition();

  it('is named as an API server wants it', () => {
    expect(metadata.name).toBe(`${spec.names.plural}.${spec.group}`);
    expect(spec.versions.map(({ storage }) => storage)).toEqual([true]);
  });

  it('shows columns that are fields of the schema', () => {
    const paths = new Set(nodesOf(schema).map(({ path }) => path));
    for (const { jsonPath } of spec.versions[0]?.additionalPrinterColumns ?? []) {
      if (jsonPath.startsWith('.metadata')) continue;
      expect(paths).toContain(jsonPath.replace(/\[\?.*?\]/, '[]'));
    }
  });
});
