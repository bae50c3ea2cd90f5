/**
 * Objects that an API server must refuse, each with field and message. The suites of the schema and of a real API
 * server share them; `spec` is merged into a good object.
 */
import { API_VERSION, PIPELINE_KIND } from '@equipoise/pipeline-file';

/** Custom resource as a user applies it. */
export interface AppliedPipeline {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

const variant = (name: string) => ({
  name,
  accuracy: { value: 0.7 },
  profile: [{ cpuCores: 1, batchSize: 1, meanMs: 20, p99Ms: 24 }],
});

const stage = (name: string, more: Readonly<Record<string, unknown>> = {}) => ({
  name,
  variants: [variant('small')],
  ...more,
});

/** Valid pipeline of two stages. */
export function goodPipeline(spec: Readonly<Record<string, unknown>> = {}, name = 'shelf'): AppliedPipeline {
  return {
    apiVersion: API_VERSION,
    kind: PIPELINE_KIND,
    metadata: { name },
    spec: { slo: { latencyMs: 400 }, stages: [stage('detect'), stage('classify')], ...spec },
  };
}

/** Refused object; `message`: part of the API server's message about `field`. */
export interface BadPipeline {
  readonly what: string;
  readonly object: AppliedPipeline;
  readonly field: string;
  readonly message: string;
}

const bad = (what: string, object: AppliedPipeline, field: string, message: string): BadPipeline => ({
  what,
  object,
  field,
  message,
});

const withDetect = (more: Readonly<Record<string, unknown>>) =>
  goodPipeline({ stages: [stage('detect', more), stage('classify')] });

export const badPipelines: readonly BadPipeline[] = [
  bad(
    'a percentile as a fraction',
    goodPipeline({ slo: { latencyMs: 400, percentile: 0.99 } }),
    'spec.slo.percentile',
    'expected a percentile between 1 and 100; write the 99th percentile as 99',
  ),
  bad('a latency of 0', goodPipeline({ slo: { latencyMs: 0 } }), 'spec.slo.latencyMs', 'should be greater than 0'),
  bad(
    'a stage with neither variants nor combine',
    goodPipeline({ stages: [{ name: 'detect' }] }),
    'spec.stages[0]',
    'expected either variants or combine',
  ),
  bad(
    'a combine stage with code',
    goodPipeline({
      stages: [stage('detect'), { name: 'vote', module: './a.ts', combine: { method: 'vote', tensor: 'x' } }],
    }),
    'spec.stages[1]',
    'expected no code on a stage with combine, which has neither code nor replicas',
  ),
  bad('no stage', goodPipeline({ stages: [] }), 'spec.stages', 'should have at least 1 items'),
  bad(
    'a stage twice',
    goodPipeline({ stages: [stage('detect'), stage('detect')] }),
    'spec.stages',
    'Duplicate value: {"name":"detect"}',
  ),
  bad(
    'an edge to a stage that is not there',
    goodPipeline({ edges: [{ from: 'detect', to: 'clasify' }] }),
    'spec.edges',
    'unknown stage in "to" of edges, expected the name of a stage',
  ),
  bad(
    'an edge from a stage that is not there',
    goodPipeline({ edges: [{ from: 'detekt', to: 'classify' }] }),
    'spec.edges',
    'unknown stage in "from" of edges, expected the name of a stage',
  ),
  bad(
    'an output of a stage that is not there',
    goodPipeline({ outputs: [{ from: 'count' }] }),
    'spec.outputs',
    'unknown stage in "from" of outputs, expected the name of a stage',
  ),
  bad(
    'an edge to itself',
    goodPipeline({ edges: [{ from: 'detect', to: 'detect' }] }),
    'spec.edges[0]',
    'expected edges without a cycle, found one from a stage to itself',
  ),
  bad(
    'an input of an edge with two origins',
    goodPipeline({
      edges: [
        {
          from: 'detect',
          to: 'classify',
          inputs: [{ name: 'a', from: 'b', constant: { datatype: 'FP32', shape: [], data: [1] } }],
        },
      ],
    }),
    'spec.edges[0].inputs[0]',
    'expected either from or constant, found both',
  ),
  bad(
    'a model without an accuracy',
    withDetect({ variants: [{ name: 'small', profile: [{ cpuCores: 1, batchSize: 1, meanMs: 20 }] }] }),
    'spec.stages[0].variants',
    'missing field "accuracy", expected {value, metric} on a variant of a model',
  ),
  bad(
    'a transform with an accuracy',
    withDetect({ kind: 'transform' }),
    'spec.stages[0].variants',
    'expected no accuracy on a variant of a transform, which counts 1',
  ),
  bad(
    'a stage without code, server or profile',
    withDetect({ variants: [{ name: 'small', accuracy: { value: 0.7 } }] }),
    'spec.stages[0]',
    'expected a module on the stage, or a server or a profile on the variant, found none of them',
  ),
  bad(
    'a server beside a module',
    withDetect({
      module: './detect.js',
      variants: [{ name: 'small', accuracy: { value: 0.7 }, server: { url: 'http://models:8080', model: 'small' } }],
    }),
    'spec.stages[0].variants',
    'expected no server on a variant of a stage with a module: one of the two does the stage',
  ),
  bad(
    'isolation without a module',
    withDetect({ isolation: 'process' }),
    'spec.stages[0].isolation',
    'expected no isolation on a stage without a module',
  ),
  bad(
    'a thread of Python',
    withDetect({ module: './detect.py', isolation: 'thread' }),
    'spec.stages[0].isolation',
    'expected "process" or nothing: a module in Python runs in processes of its own, found "thread"',
  ),
  bad(
    'a program of Python for a module that is not',
    withDetect({ module: './detect.js', python: 'python3' }),
    'spec.stages[0].python',
    'expected no python on a stage whose module is not in Python',
  ),
  bad(
    'a run time of a synthetic stage',
    withDetect({ runTimeoutMs: 2000 }),
    'spec.stages[0].runTimeoutMs',
    'expected no runTimeoutMs on a stage without a module, which is synthetic',
  ),
  bad(
    'a pinned variant that is not there',
    withDetect({ pins: { variant: 'smal' } }),
    'spec.stages[0].pins.variant',
    'unknown variant "smal", expected the name of a variant of this stage',
  ),
  bad(
    'pinned replicas beyond the bounds',
    withDetect({ pins: { replicas: 9 }, bounds: { replicas: { max: 4 } } }),
    'spec.stages[0].pins.replicas',
    'expected a number of replicas from min to max as in bounds',
  ),
  bad(
    'a pinned batch size beyond the bounds',
    withDetect({ pins: { maxBatchSize: 3 }, bounds: { batchSizes: [1, 2] } }),
    'spec.stages[0].pins.maxBatchSize',
    'expected one of the batch sizes in bounds',
  ),
  bad(
    'bounds upside down',
    withDetect({ bounds: { replicas: { min: 3, max: 2 } } }),
    'spec.stages[0].bounds.replicas.max',
    'expected max replicas of at least min',
  ),
  bad(
    'a share that is too fine',
    withDetect({ pins: { cpuCores: 0.33 } }),
    'spec.stages[0].pins.cpuCores',
    'expected a multiple of 0.05, the finest share of a core',
  ),
  bad(
    'environment without a command',
    withDetect({
      variants: [
        {
          name: 'small',
          accuracy: { value: 0.7 },
          server: { url: 'http://models:8080', model: 'small', environment: { A: 'b' } },
        },
      ],
    }),
    'spec.stages[0].variants[0].server.environment',
    'expected no environment without a command',
  ),
  bad(
    'replicas at addresses with a command',
    withDetect({
      variants: [
        {
          name: 'small',
          accuracy: { value: 0.7 },
          server: { url: 'http://127.0.0.1:{port}', model: 'small', command: ['serve'], replicas: 'addresses' },
        },
      ],
    }),
    'spec.stages[0].variants[0].server.replicas',
    'expected no replicas with a command',
  ),
  bad(
    'a token in two places',
    withDetect({
      variants: [
        {
          name: 'small',
          accuracy: { value: 0.7 },
          server: { url: 'http://models:8080', model: 'small', token: { env: 'TOKEN', file: 'token' } },
        },
      ],
    }),
    'spec.stages[0].variants[0].server.token',
    'expected either { env } or { file }',
  ),
  ...[
    { lower: 'p50Ms', higher: 'p95Ms' },
    { lower: 'p50Ms', higher: 'p99Ms' },
    { lower: 'p95Ms', higher: 'p99Ms' },
  ].map(({ lower, higher }) =>
    bad(
      `a ${higher} below the ${lower}`,
      withDetect({
        variants: [{ ...variant('small'), profile: [{ cpuCores: 1, batchSize: 1, [lower]: 30, [higher]: 25 }] }],
      }),
      `spec.stages[0].variants[0].profile[0].${higher}`,
      `expected ${higher} of at least ${lower}`,
    ),
  ),
  bad(
    'a profile point without a time',
    withDetect({ variants: [{ ...variant('small'), profile: [{ cpuCores: 1, batchSize: 1 }] }] }),
    'spec.stages[0].variants[0].profile[0]',
    'give one of meanMs, throughputRps, p50Ms or p99Ms',
  ),
  bad(
    'tensors declared in two ways',
    goodPipeline({
      sources: [
        { name: 'image', datatype: 'UINT8', shape: [-1], tensors: [{ name: 'a', datatype: 'FP32', shape: [] }] },
      ],
    }),
    'spec.sources[0]',
    'expected either tensors or datatype, shape and contentTypes, found both',
  ),
  bad(
    'a tensor without a shape',
    goodPipeline({ sources: [{ name: 'image', datatype: 'UINT8' }] }),
    'spec.sources[0]',
    'missing field "datatype" or "shape", expected both of them',
  ),
  bad(
    'a shadow',
    withDetect({ shadow: { variant: 'small' } }),
    'spec.stages[0].shadow',
    'expected no shadow on a cluster, where answers are not compared',
  ),
  bad(
    'two sources',
    goodPipeline({ sources: [{ name: 'a' }, { name: 'b' }] }),
    'spec.sources',
    'must have at most 1 item',
  ),
  bad(
    'a default priority without a share',
    goodPipeline({ admission: { priorities: { shares: [0.5], default: 2 } } }),
    'spec.admission.priorities.shares',
    'expected as many shares as the default priority, so that it has one',
  ),
  bad(
    'shares above the whole',
    goodPipeline({ admission: { priorities: { shares: [0.8, 0.4], default: 1 } } }),
    'spec.admission.priorities.shares',
    'expected shares whose sum is at most 1',
  ),
  bad(
    'a name that is too long',
    goodPipeline({}, 'a'.repeat(64)),
    '',
    'expected a name of at most 63 characters: it is also that of the model in the Open Inference Protocol',
  ),
];
