/** Ten pipelines for engines that walk the graph: chains, joins, conditions, ensembles, GPU variants. */
import type { PipelineSpec } from '@equipoise/core/model';
import type { RenderRequest } from '../render-request.js';
import { planFor, requestFor, specOf } from '../render-request.test-support.js';
import { type GraphEngine, graphEngineOf, type RenderTarget } from './targets.js';

interface GraphCase {
  readonly stages: readonly string[];
  /** Stages with a GPU variant. */
  readonly onGpu?: readonly string[];
  /** Stages that read answers of several branches. */
  readonly edges: readonly string[];
  readonly outputs: readonly string[];
}

const has = (tensor: string) => `when: { condition: 'has(output.${tensor})', probability: 0.5 }`;
const edge = (from: string, to: string, more = '') => `{ from: ${from}, to: ${to}${more && `, ${more}`} }`;

/** Conditions differ by engine: Seldon Core 2 only tests for tensors. */
function casesFor(engine: GraphEngine | undefined): Readonly<Record<string, GraphCase>> {
  const compares = engine !== 'seldon-v2';
  const isSure = compares ? `when: { condition: 'output.sure < 0.8', probability: 0.3 }` : has('unsure');
  const other = compares ? `when: { condition: 'true', probability: 0.5 }` : has('cat');
  return {
    chain: { stages: ['detect', 'classify'], edges: [edge('detect', 'classify')], outputs: ['classify'] },
    'long-chain': {
      stages: ['crop', 'detect', 'classify'],
      onGpu: ['detect'],
      edges: [edge('crop', 'detect'), edge('detect', 'classify')],
      outputs: ['classify'],
    },
    single: { stages: ['classify'], onGpu: ['classify'], edges: [], outputs: ['classify'] },
    fork: {
      stages: ['embed', 'label', 'rank'],
      edges: [edge('embed', 'label'), edge('embed', 'rank')],
      outputs: ['label', 'rank'],
    },
    join: {
      stages: ['embed', 'label', 'rank', 'merge'],
      edges: [edge('embed', 'label'), edge('embed', 'rank'), edge('label', 'merge'), edge('rank', 'merge')],
      outputs: ['merge'],
    },
    'entry-join': {
      stages: ['audio', 'video', 'merge', 'answer'],
      edges: [edge('audio', 'merge'), edge('video', 'merge'), edge('merge', 'answer')],
      outputs: ['answer'],
    },
    ensemble: {
      stages: ['prepare', 'small', 'medium', 'large', 'vote'],
      onGpu: ['large'],
      edges: ['small', 'medium', 'large'].flatMap((each) => [edge('prepare', each), edge(each, 'vote')]),
      outputs: ['vote'],
    },
    switch: {
      stages: ['sort', 'dogs', 'cats'],
      edges: [
        edge(
          'sort',
          'dogs',
          compares ? `when: { condition: 'output.kind[0] == "dog"', probability: 0.5 }` : has('dog'),
        ),
        edge('sort', 'cats', other),
      ],
      outputs: ['dogs', 'cats'],
    },
    cascade: {
      stages: ['quick', 'deep'],
      onGpu: ['deep'],
      edges: [edge('quick', 'deep', isSure)],
      outputs: ['quick, unless: deep', 'deep'],
    },
    'cross-edge': {
      stages: ['embed', 'label', 'rank', 'merge'],
      edges: [
        edge('embed', 'label', 'inputs: [{ name: vector, from: embedding }]'),
        edge('embed', 'rank'),
        edge('label', 'rank'),
        edge('rank', 'merge'),
        edge('embed', 'merge', 'inputs: [{ name: image, from: source.image }]'),
      ],
      outputs: ['merge'],
    },
  };
}

export const graphCaseNames = Object.keys(casesFor(undefined));

/** A pipeline of a case, with variants that the engine of the target runs. */
export function graphCase(name: string, target: RenderTarget): PipelineSpec {
  const engine = graphEngineOf(target);
  const { stages, onGpu = [], edges, outputs } = casesFor(engine)[name] as GraphCase;
  const isFirst = (stage: string) => !edges.some((each) => each.includes(`to: ${stage}`));
  const stageText = (stage: string) => {
    const runsMlServer = engine === 'seldon-v2' || (engine === 'kserve' && isFirst(stage));
    const server = `server: { command: [mlserver, start, ./models/${stage}], environment: { MLSERVER_HTTP_PORT: '{port}' }, url: 'http://127.0.0.1:{port}', model: ${stage} }`;
    const variant = (id: string, gpus: number) =>
      `{ name: ${id}, artifact: 's3://models/${stage}-${id}', accuracy: { value: 0.8 }, loadMs: 500, resources: { cpuCores: 1, gpus: ${gpus}, memoryBytes: 200000000 }, profile: [{ cpuCores: 1, batchSize: 1, meanMs: 10 }, { cpuCores: 1, batchSize: 4, meanMs: 20 }]${runsMlServer ? `, ${server}` : ''} }`;
    const variants = onGpu.includes(stage) ? [variant('cpu', 0), variant('gpu', 1)] : [variant('small', 0)];
    return `    - name: ${stage}\n      variants: [${variants.join(', ')}]`;
  };
  return specOf(`apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: ${name} }
spec:
  slo: { latencyMs: 400 }
  sources: [{ name: image, datatype: UINT8, shape: [-1] }]
  stages:
${stages.map(stageText).join('\n')}
  edges: [${edges.join(', ')}]
  outputs: [${outputs.map((from) => `{ from: ${from} }`).join(', ')}]
${name === 'cascade' ? cascadeTable : ''}`);
}

const cascadeTable = `  accuracyTable:
    combinations:
      - { variants: { quick: small, deep: cpu }, accuracy: 0.85 }
      - { variants: { quick: small, deep: gpu }, accuracy: 0.9 }
`;

/** A rendering of a case: GPU variants where there are some. */
export function graphRequest(name: string, target: RenderTarget): RenderRequest {
  const spec = graphCase(name, target);
  const onGpu = spec.stages.filter(({ variants }) => variants.length > 1).map(({ id }) => [id, 'gpu']);
  return requestFor(target, { spec, plan: planFor(spec, Object.fromEntries(onGpu)) });
}
