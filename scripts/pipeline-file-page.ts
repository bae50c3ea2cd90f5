import {
  describeExpected,
  type JsonSchemaNode,
  pipelineJsonSchema,
} from '../packages/pipeline-file/src/schema/pipeline-json-schema.js';
import { markdownTable } from './markdown-table.js';

/** Markdown of docs/reference/pipeline-file.md, from the JSON Schema and its descriptions. */
export function renderPipelineFilePage(): string {
  const sections = mappingsOf('', pipelineJsonSchema()).map(({ path, node }) =>
    [`## ${path === '' ? 'The file' : `\`${path}\``}`, node.description ?? '', fieldTable(path, node)]
      .filter((part) => part !== '')
      .join('\n\n'),
  );
  return `${[INTRODUCTION, EXAMPLE, ...sections].join('\n\n')}\n`;
}

const INTRODUCTION = `# The pipeline file

One YAML or JSON document of at most 1 MiB describes a pipeline. \`equipoise validate FILE\` lists all problems of the file with line and column. With the first line \`# yaml-language-server: $schema=PATH\` editors check the file against [pipeline-file.schema.json](../../packages/pipeline-file/pipeline-file.schema.json).

Percentiles are written as 99, fractions as 0…1. Field names contain the units, as in \`latencyMs\`. Paths are relative to the folder of the file. Anchors and aliases are allowed; merge keys (\`<<\`) and tags are not. \`npm run generate\` generates this page.`;

/** A test parses this example. */
export const EXAMPLE_PIPELINE = `apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: shelf }
spec:
  slo: { latencyMs: 400, percentile: 99 }
  budget: { cpuCores: 8 }
  objective: max-accuracy
  sources:
    - { name: image, datatype: UINT8, shape: [-1], contentTypes: [image/png, image/jpeg], samples: ./samples }
  stages:
    - name: detect
      module: ./stages/detect.ts
      bounds: { replicas: { min: 1, max: 16 }, batchSizes: [1, 2, 4, 8] }
      variants:
        - name: small
          artifact: ./models/detect-small.onnx
          accuracy: { value: 0.61, metric: f1 }
          resources: { cpuCores: [0.5, 1], memoryBytes: 200000000 }
          profile:
            - { cpuCores: 1, batchSize: 1, meanMs: 20, p99Ms: 24 }
            - { cpuCores: 1, batchSize: 4, meanMs: 60, p99Ms: 70 }
        - name: large
          artifact: ./models/detect-large.onnx
          accuracy: { value: 0.74, metric: f1 }
          resources: { cpuCores: [1, 2], memoryBytes: 600000000 }
    - name: classify
      module: ./stages/classify.ts
      variants:
        - { name: mlp, artifact: ./models/classify-mlp.onnx, accuracy: { value: 0.72 } }
        - { name: cnn, artifact: ./models/classify-cnn.onnx, accuracy: { value: 0.87 } }
    - name: count
      kind: transform
      module: ./stages/count.ts
      variants: [{ name: count, resources: { cpuCores: 0.5 } }]
  edges:
    - { from: detect, to: classify, fanOut: { expected: 3 } }
    - { from: classify, to: count, join: all }
  control: { mode: auto, intervalMs: 10000 }
`;

const EXAMPLE = `\`\`\`yaml\n${EXAMPLE_PIPELINE}\`\`\``;

interface Mapping {
  readonly path: string;
  readonly node: JsonSchemaNode;
}

/** Sections of mappings, in field order. */
function mappingsOf(path: string, node: JsonSchemaNode): Mapping[] {
  const { properties } = node;
  if (properties !== undefined) {
    const children = Object.entries(properties).flatMap(([field, child]) =>
      mappingsOf(path === '' ? field : `${path}.${field}`, child),
    );
    return [{ path, node }, ...children];
  }
  if (node.items !== undefined) return mappingsOf(`${path}[]`, node.items);
  return (node.anyOf ?? []).flatMap((alternative) => mappingsOf(path, alternative));
}

function fieldTable(path: string, { properties = {}, required = [] }: JsonSchemaNode): string {
  const rows = Object.entries(properties).map(([field, node]) => {
    const below = mappingsOf(path === '' ? field : `${path}.${field}`, node)[0]?.path;
    const value = describeExpected(node);
    return [
      `\`${field}\``,
      below === undefined ? value : linkedValue(value, below),
      required.includes(field) ? 'required' : defaultText(node),
      node.description ?? '',
    ];
  });
  return markdownTable(['field', 'value', 'default', 'meaning'], rows);
}

/** Links words to their sections. */
function linkedValue(value: string, path: string): string {
  const anchor = path.toLowerCase().replace(/[^a-z0-9]/g, '');
  return value.replace(/a mapping|a list/, (words) => `[${words}](#${anchor})`);
}

function defaultText(node: JsonSchemaNode): string {
  if (node.default === undefined) return 'none';
  const text = JSON.stringify(node.default);
  return text === '{}' && node.properties !== undefined ? 'defaults of its fields' : `\`${text.replaceAll('"', '')}\``;
}

/** Content of pipeline-file.schema.json, for editors. */
export function renderPipelineFileSchema(): string {
  return `${JSON.stringify(pipelineJsonSchema(), null, 2)}\n`;
}
