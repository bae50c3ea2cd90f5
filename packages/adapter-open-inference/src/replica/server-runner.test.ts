/** Failures of items at a replica that is a server, against an encoder of each transport. */
import type { Tensor, TensorMap } from '@equipoise/core/model';
import {
  type InferRequest,
  SENT_TOGETHER_HEADER,
  writeGrpcRequest,
  writeInferRequest,
} from '@equipoise/open-inference-codec';
import { afterEach, describe, expect, it } from 'vitest';
import type { InferenceClient } from '../client/inference-client.js';
import { ServerRunner } from './server-runner.js';

const started: ServerRunner[] = [];
const stated: (string | undefined)[] = [];

afterEach(async () => {
  await Promise.all(started.splice(0).map((runner) => runner.close()));
  stated.length = 0;
});

const unused = () => Promise.reject(new Error('not part of this test'));

/** Replica over a client that echoes what it could encode. */
function runnerOver(encode: (request: InferRequest) => unknown, batching: 'single' | 'stack' = 'stack') {
  const client: InferenceClient = {
    url: 'http://pod:8080',
    serverLive: unused,
    serverReady: unused,
    modelReady: () => Promise.resolve(true),
    serverMetadata: unused,
    modelMetadata: unused,
    modelNames: unused,
    infer: async (modelName, request, { headers } = {}) => {
      encode(request);
      stated.push(headers?.[SENT_TOGETHER_HEADER]);
      return { modelName, outputs: request.inputs };
    },
    close: () => {},
  };
  const facts = { stage: 'detect', variant: 'v', model: 'm', batching, isIdempotent: true };
  const runner = new ServerRunner(client, { ...facts, runTimeoutMs: 1000, healthIntervalMs: 600_000 }, async () => {});
  started.push(runner);
  return runner;
}

const good = (): TensorMap => ({ x: { datatype: 'FP32', shape: [2], data: Float32Array.of(1, 2) } });
const bad = (tensor: unknown): TensorMap => ({ ...good(), odd: tensor as Tensor });

const BAD: readonly (readonly [string, unknown, string])[] = [
  ['no datatype', { shape: [1], data: Float32Array.of(1) }, 'expected a datatype of BOOL, UINT8'],
  ['an unknown datatype', { datatype: 'float', shape: [1], data: Float32Array.of(1) }, 'found float'],
  ['a word that objects inherit', { datatype: 'toString', shape: [1], data: Float32Array.of(1) }, 'found toString'],
  ['BF16', { datatype: 'BF16', shape: [1], data: Uint16Array.of(1) }, 'found BF16'],
  ['a number among bytes', { datatype: 'BYTES', shape: [2], data: ['a', 1] }, 'found Number at 1'],
  ['null among bytes', { datatype: 'BYTES', shape: [1], data: [null] }, 'found Null at 0'],
  ['a gap among bytes', { datatype: 'BYTES', shape: [1], data: new Array(1) }, 'found Undefined at 0'],
  ['bytes in a view', { datatype: 'BYTES', shape: [1], data: Uint8Array.of(1) }, 'expected data in an Array'],
  ['other storage', { datatype: 'INT64', shape: [1], data: Float32Array.of(1) }, 'expected data in a BigInt64Array'],
  ['a list of numbers', { datatype: 'FP32', shape: [1], data: [1] }, 'expected data in a Float32Array'],
  ['a part of a dimension', { datatype: 'FP32', shape: [0.5, 2], data: Float32Array.of(1) }, 'found [0.5, 2]'],
  ['a big integer as dimension', { datatype: 'FP32', shape: [1n], data: Float32Array.of(1) }, 'found [1]'],
  ['no shape', { datatype: 'FP32', data: Float32Array.of(1) }, 'found Undefined'],
  ['no data', { datatype: 'FP32', shape: [1] }, 'found Undefined'],
  ['no tensor', null, 'found Null'],
];

describe.each([
  ['raw tensors over REST', (request: InferRequest) => writeInferRequest(request, true)],
  ['JSON', (request: InferRequest) => writeInferRequest(request, false)],
  ['raw tensors over gRPC', (request: InferRequest) => writeGrpcRequest('m', request, true)],
  ['typed tensors over gRPC', (request: InferRequest) => writeGrpcRequest('m', request, false)],
])('an input that %s cannot carry', (_, encode) => {
  it.each(BAD)('fails alone with %s, and the replica stays', async (_, tensor, problem) => {
    for (const batching of ['stack', 'single'] as const) {
      const runner = runnerOver(encode, batching);
      const { items } = await runner.run([good(), bad(tensor), good()]);
      expect(items).toEqual([
        { kind: 'ok', output: good() },
        {
          kind: 'failed',
          error: expect.objectContaining({
            code: 'INVALID_INPUT',
            message: expect.stringMatching(/^Stage 'detect' \(variant 'v'\) cannot send tensor odd: /),
          }),
        },
        { kind: 'ok', output: good() },
      ]);
      expect(items[1]).toMatchObject({ error: { message: expect.stringContaining(problem) } });
      expect((await runner.run([bad(tensor)])).items).toMatchObject([{ kind: 'failed' }]);
      expect((await runner.run([good()])).items).toEqual([{ kind: 'ok', output: good() }]);
    }
  });
});

it('a defect of the client fails its items with the reason, and the replica stays', async () => {
  const defect = new TypeError('x is not a function');
  const runner = runnerOver(({ inputs }) => {
    if ('odd' in inputs) throw defect;
  });
  const odd = { odd: { datatype: 'FP32', shape: [1], data: Float32Array.of(1) } } as const;
  const { items } = await runner.run([good(), odd, good()]);
  expect(items.map(({ kind }) => kind)).toEqual(['ok', 'failed', 'ok']);
  expect(items[1]).toMatchObject({
    error: { code: 'INTERNAL_ERROR', message: expect.stringContaining('x is not a function'), cause: defect },
  });
  expect((await runner.run([good()])).items).toEqual([{ kind: 'ok', output: good() }]);
});

it('an item that is not sent does not count among the requests that are sent together', async () => {
  const runner = runnerOver(() => {}, 'single');
  await runner.run([good(), bad(null), good()]);
  expect(stated).toEqual(['2', '2']);
});
