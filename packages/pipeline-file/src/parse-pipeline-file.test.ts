import { describe, expect, test } from 'vitest';
import { parse, problemsOf } from './pipeline.test-support.js';

const FIVE_MISTAKES = `apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: shelf }
spec:
  slo: { latency: 400, percentile: 0.99 }
  budget:
    cpuCores: "8"
  stages:
    - name: detect
      module: ./stages/detect.ts
      variants:
        - name: small
          accuracy: { value: 0.61, metric: f1 }
        - name: large
          accuracy: { value: 74, metric: f1 }
    - name: classify
      module: ./stages/classify.ts
      variants:
        - { name: cnn, accuracy: { value: 0.87 } }
  edges:
    - { from: detect, to: clasify }
`;

/** Complete example of a pipeline file; its fan-out is joined. */
const CONTRACT_EXAMPLE = `apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: shelf }
spec:
  slo: { latencyMs: 400, percentile: 99 }
  budget: { cpuCores: 8 }                      # also memoryBytes, gpus, costPerHour
  objective: max-accuracy
  stages:
    - name: detect
      module: ./stages/detect.ts
      bounds: { replicas: { min: 1, max: 16 }, batchSizes: [1, 2, 4, 8] }
      variants:
        - name: small
          artifact: ./models/detect-small.onnx
          accuracy: { value: 0.61, metric: f1 }
          resources: { cpuCores: [0.5, 1, 2], memoryBytes: 200000000 }
          profile:
            - { cpuCores: 1, batchSize: 1, meanMs: 20, p99Ms: 24 }
            - { cpuCores: 1, batchSize: 4, meanMs: 60, p99Ms: 70 }
    - name: classify
      variants: [{ name: mlp, accuracy: { value: 0.7 }, profile: [{ cpuCores: 1, batchSize: 1, throughputRps: 250 }] }]
    - { name: count, kind: transform, module: ./stages/count.ts, variants: [{ name: count }] }
  edges:
    - { from: detect, to: classify, fanOut: { expected: 3 } }
    - { from: classify, to: count, join: all }
`;

describe('a file with mistakes', () => {
  test('tells all five of them with line and column', () => {
    expect(problemsOf(parse(FIVE_MISTAKES))).toEqual([
      {
        path: 'spec.slo.latency',
        line: 5,
        column: 10,
        message: 'unknown field "latency", expected one of latencyMs, percentile',
        suggestion: 'latencyMs',
      },
      {
        path: 'spec.slo.percentile',
        line: 5,
        column: 36,
        message: 'expected a percentile between 1 and 100, found 0.99; write the 99th percentile as 99',
        suggestion: '99',
      },
      {
        path: 'spec.budget.cpuCores',
        line: 7,
        column: 15,
        message: 'expected a number above 0, found the text "8" (write numbers without quotes and unit)',
        suggestion: '8',
      },
      {
        path: 'spec.stages[0].variants[1].accuracy.value',
        line: 15,
        column: 30,
        message: 'expected a number above 0 and at most 1, found 74 (fractions are 0…1)',
        suggestion: '0.74',
      },
      {
        path: 'spec.edges[0].to',
        line: 21,
        column: 27,
        message: 'unknown stage "clasify", expected one of detect, classify',
        suggestion: 'classify',
      },
    ]);
  });

  test('places a missing field at its parent', () => {
    const text = FIVE_MISTAKES.replace('{ latency: 400, percentile: 0.99 }', '{ percentile: 90 }');
    expect(problemsOf(parse(text))[0]).toEqual({
      path: 'spec.slo.latencyMs',
      line: 5,
      column: 8,
      message: 'missing field "latencyMs", expected a number above 0',
    });
  });

  test('places an empty value at its key', () => {
    const [problem] = problemsOf(parse(CONTRACT_EXAMPLE.replace('objective: max-accuracy', 'objective:')));
    expect(problem).toMatchObject({ path: 'spec.objective', line: 7, column: 3, message: /found nothing$/ });
  });

  test('tells a syntax error and what is surely wrong before it, not what may stand behind it', () => {
    const text = FIVE_MISTAKES.replace('    - name: classify', '\t- name: classify');
    const problems = problemsOf(parse(text));
    expect(problems.slice(0, 4).map(({ line, path }) => [line, path])).toEqual([
      [5, 'spec.slo.latency'],
      [7, 'spec.budget.cpuCores'],
      [15, 'spec.stages[0].variants[1].accuracy.value'],
      [16, ''],
    ]);
    expect(problems[3]?.message).toBe('not valid YAML: Tabs are not allowed as indentation');
    expect(problems.slice(4).every(({ message }) => message.startsWith('not valid YAML: '))).toBe(true);
  });

  test.each([
    ['batchSizes: [1, 2, 4, 8]', 'batchSizes: ‹[1, 2, 4, 8', 'this "[" ends with "}", expected "]"'],
    ['[0.5, 1, 2]', '‹[0.5, 1, 2', 'this "[" ends with "}", expected "]"'],
    ['{ value: 0.61, metric: f1 }', '‹{ value: 0.61, metric: f1 ]', 'this "{" ends with "]", expected "}"'],
    [
      'bounds: { replicas: { min: 1, max: 16 }',
      'bounds: ‹{ replicas: { min: 1, max: 16',
      'this "{" has no end, expected "}"',
    ],
    [
      '{ from: detect, to: classify, fanOut: { expected: 3 } }',
      '‹{ from: detect, to: classify, fanOut: { expected: 3 }',
      'this "{" has no end, expected "}"',
    ],
    ['{ latencyMs: 400, percentile: 99 }', '{ latencyMs: ‹[400, percentile: 99', 'this "[" has no end, expected "]"'],
    [
      '[{ name: mlp, accuracy: { value: 0.7 }, profile: [',
      '[{ name: mlp, accuracy: { value: 0.7 }, profile: ‹[[',
      'this "[" ends with "}", expected "]"',
    ],
    ['edges:\n    - { from: detect', 'edges:\n    from: ‹[detect', 'this "[" ends with "}", expected "]"'],
  ])('tells which bracket has no end, and nothing that follows from it: %#', (whole, marked, message) => {
    const [before = '', after = ''] = CONTRACT_EXAMPLE.replace(whole, marked).split('‹');
    expect(problemsOf(parse(before + after))).toEqual([
      {
        path: '',
        line: before.split('\n').length,
        column: before.length - before.lastIndexOf('\n'),
        message: `not valid YAML: ${message}`,
      },
    ]);
  });

  test('tells what is wrong before an unclosed bracket', () => {
    const text = FIVE_MISTAKES.replace('metric: f1 }', 'metric: f1');
    expect(problemsOf(parse(text)).map(({ line, path }) => [line, path])).toEqual([
      [5, 'spec.slo.latency'],
      [7, 'spec.budget.cpuCores'],
      [13, ''],
    ]);
  });

  test.each([
    ['', 'expected a mapping, pipeline.yaml is empty'],
    ['# only a comment\n', 'expected a mapping, pipeline.yaml is empty'],
    ['- a\n', 'expected a mapping, found a list of 1'],
    ['null', 'expected a mapping, found nothing'],
    [' '.repeat(1_048_577), 'expected at most 1048576 bytes, found 1048577 in pipeline.yaml'],
  ])('refuses as a whole, case %#', (text, message) => {
    expect(problemsOf(parse(text))).toEqual([{ path: '', line: 1, column: 1, message }]);
  });

  test('asks for the header', () => {
    const text = CONTRACT_EXAMPLE.replace('v1alpha1', 'v1').replace('kind: InferencePipeline\n', '');
    expect(problemsOf(parse(text))).toEqual([
      {
        path: 'kind',
        line: 1,
        column: 1,
        message: 'missing field "kind", expected InferencePipeline',
        suggestion: 'kind: InferencePipeline',
      },
      {
        path: 'apiVersion',
        line: 1,
        column: 13,
        message: 'expected equipoise.dev/v1alpha1, found the text "equipoise.dev/v1"',
        suggestion: 'equipoise.dev/v1alpha1',
      },
    ]);
  });
});

describe('a valid file', () => {
  test('becomes a spec', () => {
    const result = parse(CONTRACT_EXAMPLE);
    expect(result).toMatchObject({ kind: 'valid' });
    if (result.kind !== 'valid') return;
    expect(result.spec).toEqual({
      name: 'shelf',
      baseDir: '/pipelines',
      slo: { latencyMs: 400, percentile: 99 },
      budget: { cpuCores: 8 },
      prices: { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 },
      objective: { kind: 'max-accuracy' },
      sources: [{ name: 'input', to: ['detect'], tensors: [] }],
      stages: [
        {
          id: 'detect',
          kind: 'model',
          module: './stages/detect.ts',
          runTimeoutMs: 60_000,
          variants: [
            {
              id: 'small',
              artifact: './models/detect-small.onnx',
              accuracy: { value: 0.61, metric: 'f1' },
              cpuCores: [0.5, 1, 2],
              memoryBytes: 200_000_000,
              gpus: 0,
              profile: [
                { cpuCores: 1, batchSize: 1, meanMs: 20, p99Ms: 24 },
                { cpuCores: 1, batchSize: 4, meanMs: 60, p99Ms: 70 },
              ],
              parameters: {},
            },
          ],
          bounds: { minReplicas: 1, maxReplicas: 16, batchSizes: [1, 2, 4, 8], maxBatchWaitMs: 0 },
          pins: {},
        },
        {
          id: 'classify',
          kind: 'model',
          variants: [
            {
              id: 'mlp',
              accuracy: { value: 0.7, metric: 'accuracy' },
              cpuCores: [1],
              memoryBytes: 0,
              gpus: 0,
              profile: [{ cpuCores: 1, batchSize: 1, throughputRps: 250 }],
              parameters: {},
            },
          ],
          bounds: { minReplicas: 1, maxReplicas: 64, maxBatchWaitMs: 0 },
          pins: {},
        },
        {
          id: 'count',
          kind: 'transform',
          module: './stages/count.ts',
          runTimeoutMs: 60_000,
          variants: [{ id: 'count', cpuCores: [1], memoryBytes: 0, gpus: 0, parameters: {} }],
          bounds: { minReplicas: 1, maxReplicas: 64, maxBatchWaitMs: 0 },
          pins: {},
        },
      ],
      edges: [
        { from: 'detect', to: 'classify', fanOut: { expected: 3 } },
        { from: 'classify', to: 'count', join: 'all' },
      ],
      outputs: [{ from: 'count' }],
      control: { mode: 'auto', intervalMs: 10_000, fastIntervalMs: 500, minDwellMs: 20_000 },
      admission: {
        maxQueueLength: 1000,
        maxWaitFraction: 0.8,
        maxInFlightBytes: 268_435_456,
        priorities: { shares: [0, 0.2, 0.05], default: 2 },
      },
    });
    expect(JSON.parse(JSON.stringify(result.spec))).toEqual(result.spec);
  });

  test('may have warnings', () => {
    const result = parse(CONTRACT_EXAMPLE);
    expect(result.kind === 'valid' && result.warnings).toEqual([
      {
        path: 'spec.stages[0].variants[0].resources.cpuCores',
        line: 16,
        column: 34,
        message: 'no profile point for 2 cores: this core count is not planned',
      },
    ]);
  });
});
