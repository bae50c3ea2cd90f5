import type { PipelineSpec } from '@equipoise/core/model';
import { describe, expect, test } from 'vitest';
import { type Loose, parseChanged } from './pipeline.test-support.js';

function specAfter(change: (spec: Loose) => void): PipelineSpec {
  const result = parseChanged(change);
  if (result.kind === 'invalid') throw new Error(JSON.stringify(result.problems));
  return result.spec;
}

describe('a graph that is left out', () => {
  const chain = (spec: Loose) => {
    delete spec.edges;
    delete spec.outputs;
    delete spec.sources;
  };

  test('is a chain from one source to the last stage', () => {
    const spec = specAfter(chain);
    expect(spec.edges).toEqual([
      { from: 'detect', to: 'classify' },
      { from: 'classify', to: 'count' },
    ]);
    expect(spec.sources).toEqual([{ name: 'input', to: ['detect'], tensors: [] }]);
    expect(spec.outputs).toEqual([{ from: 'count' }]);
  });

  test('without any edges lets every stage receive and answer', () => {
    const spec = specAfter((draft) => {
      chain(draft);
      draft.edges = [];
    });
    expect(spec.sources[0]?.to).toEqual(['detect', 'classify', 'count']);
    expect(spec.outputs.map(({ from }) => from)).toEqual(['detect', 'classify', 'count']);
  });
});

test('branches, joins and outputs are taken over as they are written', () => {
  const edges = [
    { from: 'detect', to: 'classify', when: { condition: 'output.score < 0.5', probability: 0.25 } },
    { from: 'detect', to: 'count', join: { quorum: 1 } },
    { from: 'classify', to: 'count', join: { quorum: 1 } },
  ];
  const outputs = [{ from: 'count', unless: 'classify', tensors: ['n'] }, { from: 'classify' }];
  const spec = specAfter((draft) => {
    Object.assign(draft, { edges, outputs, evaluation: { module: './evaluate.ts', data: './data' } });
  });
  expect(spec.edges).toEqual(edges);
  expect(spec.outputs).toEqual(outputs);
});

test('an input of an edge is an output of its stage, a tensor of the request, or a constant', () => {
  const constant = { datatype: 'BOOL', shape: [], data: [true] };
  const { edges } = specAfter((draft) => {
    const inputs = [{ name: 'box' }, { name: 'at', from: 'box' }, { name: 'photo', from: 'source.image' }];
    draft.edges[0].inputs = [...inputs, { name: 'strict', constant }];
  });
  expect(edges[0]?.inputs).toEqual([
    { name: 'box', output: 'box' },
    { name: 'at', output: 'box' },
    { name: 'photo', source: 'image' },
    { name: 'strict', constant },
  ]);
});

test('shares by variant come with their mean', () => {
  const [fanOut, branch] = specAfter((draft) => {
    draft.edges[0].fanOut = { expected: { small: 2, large: 4 } };
    draft.edges[0].when = { condition: 'true', probability: { small: 1, large: 0.25 } };
  }).edges.flatMap((edge) => [edge.fanOut, edge.when]);
  expect(fanOut).toEqual({ expected: 3, byVariant: { small: 2, large: 4 } });
  expect(branch).toEqual({ condition: 'true', probability: 0.625, byVariant: { small: 1, large: 0.25 } });
});

test('measured shares by variant replace stated ones, unless too few outputs were seen', () => {
  const of = { from: 'detect', to: 'classify' };
  const { edges, accuracyTable } = specAfter((draft) => {
    draft.accuracyTable = {
      combinations: [],
      shares: [
        { ...of, variant: 'small', outputs: 50, expected: 5 },
        { ...of, variant: 'large', outputs: 3, expected: 9 },
      ],
    };
  });
  expect(edges[0]?.fanOut).toEqual({ expected: 4, byVariant: { small: 5, large: 3 } });
  expect(accuracyTable).toEqual({ combinations: [] });
});

test('shares that were measured behind variants of earlier stages are those of the table', () => {
  const of = { from: 'detect', to: 'classify' };
  const behind = (upstream: Record<string, string>, expected: number) => ({
    ...{ ...of, variant: 'small', upstream, outputs: 50, expected },
  });
  const { edges } = specAfter((draft) => {
    draft.accuracyTable = {
      combinations: [],
      shares: [
        { ...of, variant: 'small', outputs: 50, expected: 5 },
        behind({ decode: 'rough' }, 6),
        behind({ decode: 'fine' }, 0),
        { ...behind({ decode: 'seldom' }, 9), outputs: 3 },
      ],
    };
  });
  expect(edges[0]?.fanOut?.byVariant).toMatchObject({ small: 5 });
  expect(edges[0]?.fanOut?.byUpstream).toEqual([
    { upstream: { decode: 'rough' }, byVariant: { small: 6 } },
    // A stage gets some items, so that plans never leave it without replicas.
    { upstream: { decode: 'fine' }, byVariant: { small: 0.02 } },
  ]);
});

describe('the replicas of a stage', () => {
  const detect = (change: Loose) => specAfter((draft) => Object.assign(draft.stages[0], change)).stages[0];

  test('have a run time-out where they run code', () => {
    expect(detect({ module: './a.ts' })).toMatchObject({ module: './a.ts', runTimeoutMs: 60_000 });
    expect(detect({})).not.toHaveProperty('runTimeoutMs');
  });

  test('have a run time-out where servers run them', () => {
    const server = { url: 'http://a:1', model: 'm' };
    const stage = detect({ variants: [{ name: 'small', accuracy: { value: 0.5 }, server }] });
    expect(stage).toMatchObject({ runTimeoutMs: 60_000 });
    expect(stage?.variants[0]?.server).toEqual({ urls: ['http://a:1'], model: 'm', batching: 'stack' });
  });

  test('are what the file says', () => {
    const python = { module: './a.py', python: '.venv/bin/python', isolation: 'process', runTimeoutMs: 250 };
    expect(detect(python)).toMatchObject(python);
  });
});

describe('a source', () => {
  test.each([
    [{ name: 'text' }, []],
    [
      { name: 'text', datatype: 'BYTES', shape: [1], contentTypes: ['text/plain'] },
      [{ name: 'text', datatype: 'BYTES', shape: [1], contentTypes: ['text/plain'] }],
    ],
    [
      { name: 'text', tensors: [{ name: 'raw', datatype: 'UINT8', shape: [-1, 3] }] },
      [{ name: 'raw', datatype: 'UINT8', shape: [-1, 3], contentTypes: [] }],
    ],
  ])('%j declares its tensors', (source, tensors) => {
    expect(specAfter((spec) => (spec.sources = [source])).sources[0]?.tensors).toEqual(tensors);
  });

  test.each([
    ['detect', ['detect']],
    [['detect'], ['detect']],
  ])('enters %j', (to, expected) => {
    const [source] = specAfter((spec) => (spec.sources = [{ name: 'text', to, samples: './samples' }])).sources;
    expect(source).toEqual({ name: 'text', to: expected, tensors: [], samplesPath: './samples' });
  });

  test('several wait for each other', () => {
    const [text, scan] = ['text', 'scan'].map((name) => ({ name, to: 'detect', datatype: 'UINT8', shape: [-1] }));
    const { sources, sourceJoin } = specAfter((spec) => (spec.sources = [text, { ...scan, onMissing: 'partial' }]));
    expect(sources.map(({ onMissing }) => onMissing)).toEqual([undefined, 'partial']);
    expect(sourceJoin).toEqual({ maxWaitMs: 5000, maxWaiting: 1000 });
    expect(specAfter((spec) => (spec.sources = [text])).sourceJoin).toBeUndefined();
  });
});

test.each([
  [{ objective: 'max-accuracy' }, { kind: 'max-accuracy' }],
  [
    { objective: 'min-cost', accuracyFloor: 0.6 },
    { kind: 'min-cost', accuracyFloor: 0.6 },
  ],
  [
    { objective: { weights: { accuracy: 2, cost: 1, batch: 1e-6 } } },
    { kind: 'weights', accuracy: 2, cost: 1, batch: 1e-6 },
  ],
])('%j is the objective', (fields, objective) => {
  expect(specAfter((spec) => Object.assign(spec, fields)).objective).toEqual(objective);
});

test('bounds restrict, sort and unify the core counts of variants', () => {
  const spec = specAfter((draft) => {
    draft.stages[0].bounds = { cpuCores: [0.5, 1], batchSizes: [4, 1, 4] };
    draft.stages[0].variants[0].resources = { cpuCores: [2, 1, 0.5, 1] };
  });
  expect(spec.stages[0]?.variants.map(({ cpuCores }) => cpuCores)).toEqual([[0.5, 1], [1]]);
  expect(spec.stages[0]?.bounds.batchSizes).toEqual([1, 4]);
});

test('everything else keeps its value', () => {
  const spec = specAfter((draft) => {
    draft.prices = { cpuCorePerHour: 0.04, gpuPerHour: 2 };
    draft.control = {
      mode: 'advise',
      intervalMs: 5000,
      fastIntervalMs: 500,
      minDwellMs: 0,
      surge: { cpuCores: 2, maxSeconds: 90 },
    };
    draft.admission = { maxQueueLength: 7, answerMarginMs: 3, priorities: { shares: [0.1, 0.2] } };
    draft.evaluation = { data: './scenes', metric: 'mae', output: 'total', scale: 2 };
    draft.stages[0].idempotent = false;
    Object.assign(draft.edges.at(-1), { onMissing: 'partial' });
    Object.assign(draft.edges[0], { onMissing: 'fail' });
    draft.stages[0].pins = { variant: 'large', cpuCores: 1, maxBatchSize: 4, replicas: 2 };
    draft.stages[0].variants[0].parameters = { threshold: 0.5, labels: ['a'], nested: { deep: null } };
    draft.stages[0].variants[0].loadMs = 120;
    draft.outputs = [{ from: 'count', tensors: ['total'] }];
    draft.accuracyTable = {
      combinations: [{ variants: { detect: 'small' }, accuracy: 0.5, confidence95: [0.45, 0.55], samples: 100 }],
    };
  });
  expect(spec).toMatchObject({
    prices: { cpuCorePerHour: 0.04, memoryGibPerHour: 0, gpuPerHour: 2 },
    control: {
      mode: 'advise',
      intervalMs: 5000,
      fastIntervalMs: 500,
      minDwellMs: 0,
      surgeCpuCores: 2,
      surgeMaxMs: 90_000,
    },
    admission: { maxQueueLength: 7, answerMarginMs: 3, priorities: { shares: [0.1, 0.2], default: 2 } },
    evaluation: { dataPath: './scenes', metric: { kind: 'mae', output: 'total', scale: 2 } },
    outputs: [{ from: 'count', tensors: ['total'] }],
    accuracyTable: {
      combinations: [{ variants: { detect: 'small' }, accuracy: 0.5, confidence95: [0.45, 0.55], samples: 100 }],
    },
  });
  expect(spec.edges.map(({ onMissing }) => onMissing)).toEqual([undefined, 'partial']);
  expect(spec.stages.map(({ idempotent }) => idempotent ?? true)).toEqual([false, true, true]);
  expect(spec.stages[0]?.pins).toEqual({ variantId: 'large', cpuCores: 1, maxBatchSize: 4, replicas: 2 });
  expect(spec.stages[0]?.variants[0]).toMatchObject({
    loadMs: 120,
    parameters: { threshold: 0.5, labels: ['a'], nested: { deep: null } },
  });
});
