/** Each row of the page about bad input, over REST and gRPC. The page states what the servers answer here. */
import { readFileSync } from 'node:fs';
import { planObjection, planOfStages } from '@equipoise/core/control';
import {
  AppError,
  type PipelineSpec,
  type StageSpec,
  stageId,
  type Tensor,
  type TensorMap,
} from '@equipoise/core/model';
import { writeGrpcRequest } from '@equipoise/open-inference-codec';
import { parsePipelineFile } from '@equipoise/pipeline-file';
import { status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { edge, fp32, ScriptedRunner, serve, servingSpec } from '../data-plane/serving-bench.test-support.js';
import { invalidFields, pinProblems } from '../loop/field-problems.js';
import type { BenchOptions, Ended } from './grpc/grpc-bench.test-support.js';
import { endBenches, held, start } from './grpc/grpc-calls.test-support.js';

afterEach(endBenches);

const PAGE = readFileSync(new URL('../../../../docs/reference/bad-input.md', import.meta.url), 'utf8');

/** Rows of the table below a heading, without links and code marks. */
function rowsBelow(heading: string): ReadonlyMap<string, readonly string[]> {
  const [, section = ''] = PAGE.split(`## ${heading}\n`);
  const lines = (section.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('| '));
  const plain = (cell: string) =>
    cell
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replaceAll('`', '')
      .trim();
  const rows = lines.slice(2).map((line) => line.split('|').slice(1, -1).map(plain));
  return new Map(rows.map(([input = '', ...cells]) => [input, cells]));
}

interface Sent {
  readonly model?: string;
  readonly id?: string;
}

/** Answer over one protocol, as the page writes it; `error` is the message. */
interface Answer {
  readonly text: string;
  readonly code: string | undefined;
  readonly error: string;
}

const element = (value: unknown) => (typeof value === 'bigint' ? Number(value) : value);
const inJson = (inputs: TensorMap) =>
  Object.entries(inputs).map(([name, { datatype, shape, data }]) => ({
    ...{ name, datatype, shape },
    data: Array.from(data as ArrayLike<unknown>, element),
  }));

async function served(options: BenchOptions) {
  const bench = await start(options);
  const rest = async (inputs: TensorMap, { model = 'bench', id }: Sent = {}): Promise<Answer> => {
    const reply = await fetch(`${bench.server.url}/v2/models/${model}/infer`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...(id !== undefined && { id }), inputs: inJson(inputs) }),
    });
    const { code, error = '' } = (await reply.json()) as { readonly code?: string; readonly error?: string };
    return { text: [reply.status, code].filter(Boolean).join(' '), code, error };
  };
  const grpc = async (inputs: TensorMap, { model = 'bench', id = '' }: Sent = {}): Promise<Answer> =>
    answerOf(await bench.infer(writeGrpcRequest(model, { id, inputs }, true)).ended);
  const both = async (inputs: TensorMap, { id, ...sent }: Sent = {}): Promise<readonly Answer[]> => [
    await rest(inputs, { ...sent, ...(id !== undefined && { id: `${id}-rest` }) }),
    await grpc(inputs, { ...sent, ...(id !== undefined && { id: `${id}-grpc` }) }),
  ];
  return { ...bench, rest, grpc, both };
}

function answerOf({ error }: Ended): Answer {
  if (error === undefined) return { text: 'OK', code: undefined, error: '' };
  const [code] = error.metadata.get('equipoise-code');
  return { text: status[error.code] ?? '', code: code?.toString(), error: error.details };
}

/** One stage with one number per item. Negative ones are refused, 100 fails, 2 makes an answer of another shape. */
const batches = (more: BenchOptions = {}) =>
  served({
    script: ({ x }) => {
      const value = Number(x?.data[0]);
      if (value < 0) return new AppError('INVALID_INPUT', 'negative');
      if (value === 100) return new AppError('STAGE_FAILED', 'broken');
      return { y: fp32([value === 2 ? 2 : 1], ...(value === 2 ? [1, 2] : [value])) };
    },
    onStageFailure: () => {},
    ...more,
    spec: {
      sources: [
        {
          name: 'input',
          to: [stageId('a')],
          tensors: [{ name: 'x', datatype: 'FP32', shape: [1], contentTypes: [] }],
        },
      ],
      ...more.spec,
    },
  });
const items = (...values: readonly number[]): TensorMap => ({ x: fp32([values.length, 1], ...values) });

/** `left` is needed, `right` as `more` says; a part of `left` has a key if `keyed`. */
async function sources(more: object = {}, join: object = {}, keyed = false) {
  const tensor = (name: string, datatype: Tensor['datatype'] = 'FP32') => ({
    ...{ name, datatype, shape: [1], contentTypes: [] },
  });
  const spec = servingSpec(['a', 'b', 'both'], {
    sources: [
      {
        name: 'left',
        to: [stageId('a')],
        tensors: [tensor('l'), ...(keyed ? [tensor('k', 'BYTES')] : [])],
        ...(keyed && { key: 'k' }),
      },
      { name: 'right', to: [stageId('b')], tensors: [tensor('r')], ...more },
    ],
    sourceJoin: { maxWaitMs: 60_000, maxWaiting: 10, ...(keyed && { by: 'key', windowMs: 60_000 }), ...join },
    edges: [edge('a', 'both'), edge('b', 'both')],
  });
  const bench = await served({ spec });
  const echo = () =>
    new ScriptedRunner(
      (item) => item,
      async () => {},
    );
  for (const stage of ['b', 'both']) serve(bench.runner, stage, echo());
  return bench;
}
const left: TensorMap = { l: fp32([1], 1) };
const right: TensorMap = { r: fp32([1], 2) };
const keyed = (key: string): TensorMap => ({ ...left, k: { datatype: 'BYTES', shape: [1], data: [key] } });
const LEFT = { model: 'bench.left' };
const RIGHT = { model: 'bench.right' };

/** By input: the answers over REST and gRPC. */
const requests: Readonly<Record<string, () => Promise<readonly Answer[]>>> = {
  'a part whose id or key no other source sends': async () => {
    const { both } = await sources({}, { maxWaitMs: 20 });
    return both(left, { ...LEFT, id: 'alone' });
  },
  'a part of the last source that still sends; the others have onMissing: partial': async () => {
    const { both } = await sources({ onMissing: 'partial' }, { maxWaitMs: 20 });
    return both(left, { ...LEFT, id: 'alone' });
  },
  'a part, while the source with latest has stopped': async () => {
    const { both } = await sources({ latest: { maxAgeMs: 600_000 } });
    return both(left, { ...LEFT, id: 'q' });
  },
  'a second part of a source under one id': async () => {
    const { rest, grpc, runner } = await sources();
    const first = rest(left, { ...LEFT, id: 'q' });
    await expect.poll(() => runner.partCounts.waiting, { timeout: 20_000 }).toBe(1);
    const answers = [await rest(left, { ...LEFT, id: 'q' }), await grpc(left, { ...LEFT, id: 'q' })];
    expect((await rest(right, { ...RIGHT, id: 'q' })).text).toBe('200');
    expect((await first).text).toBe('200');
    return answers;
  },
  'a part after the wait for it': async () => {
    const { both, rest, grpc, runner } = await sources({}, { maxWaiting: 2 });
    const waits = [rest(left, { ...LEFT, id: 'q-rest' }), grpc(left, { ...LEFT, id: 'q-grpc' })];
    await expect.poll(() => runner.partCounts.waiting, { timeout: 20_000 }).toBe(2);
    // Two more requests end both waits.
    const others = ['c', 'd'].map((id) => rest(left, { ...LEFT, id }));
    expect((await Promise.all(waits)).map(({ code }) => code)).toEqual(['PART_MISSING', 'PART_MISSING']);
    const answers = await both(right, { ...RIGHT, id: 'q' });
    for (const id of ['c', 'd']) expect((await rest(right, { ...RIGHT, id })).text).toBe('200');
    expect((await Promise.all(others)).map(({ text }) => text)).toEqual(['200', '200']);
    return answers;
  },
  'more requests that wait for parts than sourceJoin.maxWaiting: the oldest part': async () => {
    const { rest, grpc } = await sources({}, { maxWaiting: 1 });
    const waits = [rest(left, { ...LEFT, id: 'a' }), grpc(left, { ...LEFT, id: 'b' })];
    await Promise.race(waits);
    const last = rest(left, { ...LEFT, id: 'c' });
    const answers = await Promise.all(waits);
    expect((await rest(right, { ...RIGHT, id: 'c' })).text).toBe('200');
    expect((await last).text).toBe('200');
    return answers;
  },
  'a part without an id': async () => (await sources()).both(left, LEFT),
  'an id of more than 256 characters': async () => (await sources()).both(left, { ...LEFT, id: 'x'.repeat(257) }),
  'a key of more than 256 bytes': async () => (await sources({}, {}, true)).both(keyed('x'.repeat(257)), LEFT),
  'a part without its key': async () => (await sources({}, {}, true)).both(left, { ...LEFT, id: 'q' }),
  'a part that is a client batch': async () => (await sources()).both({ l: fp32([2, 1], 1, 2) }, { ...LEFT, id: 'q' }),
  'a request to the pipeline without the tensors of a source': async () => (await sources()).both(left),
  'a client batch without items, [0, …]': async () => (await batches()).both(items()),
  'a client batch of too many items': async () => (await batches()).both(items(...Array(51).fill(1))),
  'a client batch with items that a stage refuses': async () => {
    const answers = await (await batches()).both(items(1, -1, 1, -2));
    for (const { error } of answers) expect(error).toMatch(/^Items 1, 3 of 4 \(counted from 0\): /);
    return answers;
  },
  'a client batch with items that fail': async () => {
    const answers = await (await batches()).both(items(1, 100));
    for (const { error } of answers) expect(error).toMatch(/^Item 1 of 2 \(counted from 0\): /);
    return answers;
  },
  'a client batch with items that are dropped': async () => {
    const { wait, letGo } = held();
    const { rest, grpc, runner } = await batches({ wait, spec: { admission: { maxQueueLength: 4 } } });
    const arrived = (count: number) =>
      expect.poll(() => runner.statistics.total.arrived, { timeout: 20_000 }).toBe(count);
    const filling: Promise<Answer>[] = [];
    for (let sent = 1; sent <= 4; sent++) {
      filling.push(rest(items(1, 1)));
      await arrived(2 * sent);
    }
    const answers = [rest(items(1, 1)), grpc(items(1, 1))];
    await arrived(12);
    letGo();
    await Promise.all(filling);
    return Promise.all(answers);
  },
  'a client batch whose answers differ in type or shape': async () => (await batches()).both(items(1, 2)),
  'a tensor of another name, data type or shape': async () => {
    const { both } = await batches();
    const wrong = [
      { z: fp32([1], 1) },
      { x: { datatype: 'INT32', shape: [1], data: Int32Array.of(1) } as const },
      { x: fp32([1, 1, 1], 1) },
    ];
    const all = await Promise.all(wrong.map((inputs) => both(inputs)));
    const [first = []] = all;
    for (const answers of all) expect(answers.map(({ text }) => text)).toEqual(first.map(({ text }) => text));
    return first;
  },
  'a pipeline or source that does not exist': async () => {
    const { both } = await sources();
    const [pipeline, source] = [await both(left, { model: 'other' }), await both(left, { model: 'bench.middle' })];
    expect(pipeline.map(({ text }) => text)).toEqual(source.map(({ text }) => text));
    return source;
  },
};

describe('a bad request', () => {
  const rows = rowsBelow('Requests');

  it('has a row on the page, and each row a test', () => {
    expect(Object.keys(requests).sort()).toEqual([...rows.keys()].sort());
  });

  it.each(Object.entries(requests))('is answered as the page says: %s', async (input, send) => {
    const [rest, grpc] = await send();
    const [atRest = '', overGrpc = ''] = rows.get(input) ?? [];
    expect([rest?.text, grpc?.text]).toEqual([atRest, overGrpc]);
    expect(grpc?.code).toBe(rest?.code);
  });
});

/** A cascade and a vote with choices, and two sources that meet by key. Each value may be replaced by a wrong one. */
const stage = (name: string, pins = '') => `
    - name: ${name}
      ${pins}
      variants: [{ name: v, accuracy: { value: 0.9 }, profile: [{ cpuCores: 1, batchSize: 1, meanMs: 1 }] }]`;
const file = ({
  key = 'camera',
  threshold = '[0.6, 0.8]',
  quorum = '[1, 2]',
  pins = '',
  measured = 'v at 0.6 with quorum 1',
} = {}) => `
apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: chosen }
spec:
  slo: { latencyMs: 100 }
  sources:
    - { name: left, to: [a], tensors: [{ name: camera, datatype: BYTES, shape: [1] }], key: ${key} }
    - { name: right, to: [b], tensors: [{ name: text, datatype: BYTES, shape: [1] }] }
  sourceJoin: { by: key, windowMs: 10 }
  stages:${stage('a', pins)}${stage('b')}${stage('c')}
    - { name: vote, combine: { method: vote, tensor: label } }
  edges:
    - { from: a, to: c, when: { condition: "output.sure < threshold", threshold: ${threshold}, probability: 0.5 } }
    - { from: a, to: vote, join: { quorum: ${quorum} } }
    - { from: b, to: vote, join: { quorum: ${quorum} } }
  outputs: [{ from: vote }, { from: c }]
  accuracyTable: { combinations: [{ variants: { a: ${measured} }, accuracy: 0.9 }] }
`;

/** The problem of a file that has no other one. */
function problemOf(changes: Parameters<typeof file>[0]): string {
  const result = parsePipelineFile(file(changes), { fileName: 'pipeline.yaml', baseDir: '.' });
  if (result.kind === 'valid') return 'valid';
  expect(result.problems.map(({ message }) => message)).toHaveLength(1);
  return 'INVALID_PIPELINE';
}

function chosenSpec(): PipelineSpec {
  const result = parsePipelineFile(file(), { fileName: 'pipeline.yaml', baseDir: '.' });
  if (result.kind === 'invalid') throw new Error(JSON.stringify(result.problems));
  return result.spec;
}

function pinned(pins: object): string {
  const spec = chosenSpec();
  const problems = pinProblems({ spec, stage: spec.stages[0] as StageSpec }, pins, '');
  return problems.length === 0 ? 'valid' : `422 ${invalidFields('pins', problems).code}`;
}

function applied(choice: object): string {
  const spec = chosenSpec();
  const part = (more: object = {}) => [
    {
      ...{ variantId: 'v' as never, resources: { cpuCores: 1, memoryBytes: 0, gpus: 0 }, maxBatchSize: 1 },
      ...{ maxBatchWaitMs: 0, replicas: 1, trafficFraction: 1, ...more },
    },
  ];
  const stages = Object.fromEntries(spec.stages.map(({ id }, index) => [id, part(index === 0 ? choice : {})]));
  return planObjection(spec, planOfStages(spec, stages)) === undefined ? 'valid' : '422 INVALID_FIELDS';
}

/** By input: the code, for each of several such inputs. */
const choices: Readonly<Record<string, () => readonly string[]>> = {
  'key or time of a source names a tensor that the source lacks': () => [problemOf({ key: 'lens' })],
  'thresholds or quorums that do not ascend': () => [
    problemOf({ threshold: '[0.6, 0.8, 0.8]' }),
    problemOf({ threshold: '[0.6, 0.8, 0.7]' }),
  ],
  'a quorum larger than the number of edges': () => [problemOf({ quorum: '[1, 3]' })],
  'pins.threshold or pins.quorum that the list lacks': () => [
    problemOf({ pins: 'pins: { threshold: 0.7 }' }),
    problemOf({ pins: 'pins: { quorum: 3 }' }),
  ],
  'a measured combination with a threshold or quorum that the list lacks': () => [
    problemOf({ measured: 'v at 0.7 with quorum 1' }),
    problemOf({ measured: 'v at 0.6 with quorum 3' }),
    problemOf({ measured: 'v at 0.6' }),
  ],
  'POST …/pin with a threshold or quorum that the list lacks': () => [
    pinned({ threshold: 0.7 }),
    pinned({ quorum: 3 }),
  ],
  'POST …/apply with a threshold or quorum that the list lacks': () => [
    applied({ threshold: 0.7, quorum: 1 }),
    applied({ threshold: 0.6, quorum: 3 }),
  ],
};

describe('a choice that does not exist', () => {
  const rows = rowsBelow('Files and actions');

  it('has a row on the page, and each row a test; the listed choices are valid', () => {
    expect(Object.keys(choices).sort()).toEqual([...rows.keys()].sort());
    expect([problemOf({}), pinned({ threshold: 0.8, quorum: 2 }), applied({ threshold: 0.8, quorum: 2 })]).toEqual(
      Array(3).fill('valid'),
    );
  });

  it.each(Object.entries(choices))('is refused as the page says: %s', (input, codes) => {
    const [code] = rows.get(input) ?? [];
    for (const found of codes()) expect(found).toBe(code);
  });
});
