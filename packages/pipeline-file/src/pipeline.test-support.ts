import { type PipelineFileResult, parsePipelineFile } from './parse-pipeline-file.js';
import type { Problem } from './problem.js';
import type { PipelineFileInput } from './schema/pipeline-file-schema.js';

/** Any value, even one that the schema rejects. */
// biome-ignore lint/suspicious/noExplicitAny: tests write what types forbid
export type Loose = any;

/** Valid document without warnings: three stages, one fan-out and its join. */
export function validDocument(): PipelineFileInput {
  const profile = () => [
    { cpuCores: 1, batchSize: 1, meanMs: 20, p99Ms: 24 },
    { cpuCores: 1, batchSize: 4, meanMs: 60, p99Ms: 70 },
  ];
  return {
    apiVersion: 'equipoise.dev/v1alpha1',
    kind: 'InferencePipeline',
    metadata: { name: 'shelf' },
    spec: {
      slo: { latencyMs: 400 },
      sources: [{ name: 'image', datatype: 'UINT8', shape: [112, 112], to: 'detect' }],
      stages: [
        {
          name: 'detect',
          variants: [
            { name: 'small', accuracy: { value: 0.61 }, profile: profile() },
            { name: 'large', accuracy: { value: 0.74 }, profile: profile() },
          ],
        },
        { name: 'classify', variants: [{ name: 'mlp', accuracy: { value: 0.72 }, profile: profile() }] },
        { name: 'count', kind: 'transform', variants: [{ name: 'only', profile: profile() }] },
      ],
      edges: [
        { from: 'detect', to: 'classify', fanOut: { expected: 3 } },
        { from: 'classify', to: 'count', join: 'all' },
      ],
      outputs: [{ from: 'count' }],
    },
  };
}

export const parse = (text: string): PipelineFileResult =>
  parsePipelineFile(text, { fileName: 'pipeline.yaml', baseDir: '/pipelines' });

/** Parses the valid document after a change to its spec. */
export function parseChanged(change: (spec: Loose) => void): PipelineFileResult {
  const document = validDocument();
  change(document.spec);
  return parse(JSON.stringify(document));
}

export const problemsOf = (result: PipelineFileResult): readonly Problem[] =>
  result.kind === 'invalid' ? result.problems : [];
