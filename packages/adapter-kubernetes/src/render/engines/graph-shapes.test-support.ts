import { specOf } from '../render-request.test-support.js';

/** Edges as `from to more`, outputs as `from` or `from, unless: to`; `model`: model of all MLServer variants. */
export function shape(edges: readonly string[], outputs: readonly string[], model?: string) {
  const pairs = edges.map((edge) => edge.split(' '));
  const stages = [...new Set(pairs.flatMap(([from = '', to = '']) => [from, to]))];
  const server = (stage: string) =>
    `, server: { command: [mlserver, start, ./models/${stage}], environment: { MLSERVER_HTTP_PORT: '{port}' }, url: 'http://127.0.0.1:{port}', model: ${model} }`;
  const stageText = (stage: string) =>
    `    - { name: ${stage}, variants: [{ name: v, artifact: 's3://models/${stage}', accuracy: { value: 0.8 }, loadMs: 1, resources: { cpuCores: 1 }, profile: [{ cpuCores: 1, batchSize: 1, meanMs: 9 }]${model ? server(stage) : ''} }] }`;
  const edgeText = ([from, to, ...more]: readonly string[]) =>
    `{ from: ${from}, to: ${to}${more.length > 0 ? `, ${more.join(' ')}` : ''} }`;
  return specOf(`apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: odd }
spec:
  slo: { latencyMs: 900 }
  stages:
${stages.map(stageText).join('\n')}
  edges: [${pairs.map(edgeText).join(', ')}]
  outputs: [${outputs.map((from) => `{ from: ${from} }`).join(', ')}]
${outputs.some((each) => each.includes('unless')) ? `  accuracyTable: { combinations: [{ variants: { ${stages.map((id) => `${id}: v`).join(', ')} }, accuracy: 0.9 }] }` : ''}
`);
}

/** Stages `s0`, `s1` and so on, each after the one before. */
export function chainOf(count: number) {
  const ids = Array.from({ length: count }, (_, index) => `s${index}`);
  return shape(
    ids.slice(1).map((id, index) => `s${index} ${id}`),
    ids.slice(-1),
  );
}
