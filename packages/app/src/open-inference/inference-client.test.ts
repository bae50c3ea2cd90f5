/** The client over both transports against our own server. */
import { type ClientOptions, type InferenceClient, openInferenceClient } from '@equipoise/adapter-open-inference';
import type { TensorMap } from '@equipoise/core/model';
import type { RunningServer } from '@equipoise/runtime';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { orderItem, orders, startObeyingServer, Way } from './obeying-server.test-support.js';

let server: RunningServer;
const clients: InferenceClient[] = [];

beforeAll(async () => {
  server = await startObeyingServer({ maxBodyBytes: 100_000 });
});
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});
afterAll(() => server.close({ timeoutMs: 100 }));

const tensors: TensorMap = {
  bool: { datatype: 'BOOL', shape: [2], data: Uint8Array.of(0, 1) },
  uint8: { datatype: 'UINT8', shape: [1], data: Uint8Array.of(255) },
  int64: { datatype: 'INT64', shape: [1], data: BigInt64Array.of(-5n) },
  uint64: { datatype: 'UINT64', shape: [2, 1], data: BigUint64Array.of(1n, 2n) },
  fp32: { datatype: 'FP32', shape: [2], data: Float32Array.of(0.5, -1) },
  fp64: { datatype: 'FP64', shape: [], data: Float64Array.of(0.1) },
  text: { datatype: 'BYTES', shape: [2], data: ['', 'grüße'] },
  none: { datatype: 'FP32', shape: [0, 4], data: new Float32Array(0) },
};

describe.each(['rest', 'grpc'] as const)('the client over %s', (transport) => {
  function open(options: ClientOptions = {}, port?: number): InferenceClient {
    const own = transport === 'rest' ? server.url : `grpc://${server.grpcAddress}`;
    const scheme = transport === 'rest' ? 'http' : 'grpc';
    const client = openInferenceClient(port === undefined ? own : `${scheme}://127.0.0.1:${port}`, options);
    clients.push(client);
    return client;
  }

  it('tells health and metadata', async () => {
    const client = open();
    expect(await Promise.all([client.serverLive(), client.serverReady(), client.modelReady('echo')])).toEqual([
      true,
      true,
      true,
    ]);
    expect(await client.modelReady('other')).toBe(false);
    expect(await client.serverMetadata()).toMatchObject({
      name: 'equipoise',
      extensions: expect.arrayContaining(['binary_tensor_data']),
    });
    await client.infer('echo', { inputs: orderItem(1) });
    expect(await client.modelMetadata('echo')).toMatchObject({
      name: 'echo',
      platform: 'equipoise',
      outputs: expect.arrayContaining([{ name: 'x', datatype: 'FP32', shape: [2] }]),
    });
    await expect(client.modelMetadata('other')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it.each([true, false])('sends and gets tensors (raw %s)', async (raw) => {
    const request = { id: 'r', inputs: tensors, parameters: { timeout_ms: 50_000 } };
    expect(await open({ raw }).infer('echo', request)).toEqual({ modelName: 'echo', id: 'r', outputs: tensors });
    const { outputs } = await open({ raw }).infer('echo', { inputs: tensors, outputs: ['fp32'] });
    expect(outputs).toEqual({ fp32: tensors['fp32'] });
  });

  it('keeps its connection, and many calls share it or get others', async () => {
    const address = transport === 'rest' ? server.url : (server.grpcAddress ?? '');
    const way = await Way.to(Number(address.split(':').at(-1)));
    const client = open({}, way.port);
    for (let i = 0; i < 3; i++) await client.infer('echo', { inputs: orderItem(i) });
    expect(way.connections).toBe(1);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => client.infer('echo', { inputs: orderItem(i) })),
    );
    expect(answers.map(({ outputs }) => outputs['x']?.data[0])).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(way.connections).toBeLessThanOrEqual(transport === 'rest' ? 20 : 1);
    way.close();
  });

  it.each<[string, TensorMap, string, boolean]>([
    ['refuses', orderItem(orders.refuse), 'INVALID_INPUT', false],
    ['fails', orderItem(orders.fail), 'STAGE_FAILED', false],
  ])('tells that the server %s', async (_, inputs, code, retryable) => {
    await expect(open().infer('echo', { inputs })).rejects.toMatchObject({ name: 'AppError', code, retryable });
  });

  it('tells that a request is too large', async () => {
    const inputs: TensorMap = { x: { datatype: 'UINT8', shape: [200_000], data: new Uint8Array(200_000) } };
    const code = transport === 'rest' ? 'INVALID_INPUT' : 'DROPPED';
    await expect(open().infer('echo', { inputs })).rejects.toMatchObject({ code });
  });

  it('tells that an answer is too large', async () => {
    const inputs: TensorMap = { large: { datatype: 'UINT8', shape: [50_000], data: new Uint8Array(50_000) } };
    const client = open({ maxAnswerBytes: 1000 });
    await expect(client.infer('echo', { inputs })).rejects.toMatchObject({ name: 'AppError' });
  });

  it('gives up at the deadline, and the server drops the request', async () => {
    const call = open().infer('echo', { inputs: orderItem(orders.linger) }, { timeoutMs: 50 });
    await expect(call).rejects.toMatchObject({ code: 'DEADLINE_PASSED' });
  });

  it('gives up when it is told to', async () => {
    const giveUp = new AbortController();
    const call = open().infer('echo', { inputs: orderItem(orders.linger) }, { signal: giveUp.signal });
    setTimeout(() => giveUp.abort(), 20);
    await expect(call).rejects.toMatchObject({ code: 'DROPPED', details: { reason: 'cancelled' } });
    const late = open().infer('echo', { inputs: orderItem(1) }, { signal: giveUp.signal });
    await expect(late).rejects.toMatchObject({ code: 'DROPPED' });
  });

  it('tells that nobody answers', async () => {
    const client = open({}, 9);
    await expect(client.infer('echo', { inputs: {} }, { timeoutMs: 5000 })).rejects.toMatchObject({
      code: 'UNREACHABLE',
      retryable: true,
    });
    expect(await client.serverLive({ timeoutMs: 5000 })).toBe(false);
  });
});

it('is not opened for other addresses', () => {
  for (const url of ['ftp://h', 'h:80', '']) {
    expect(() => openInferenceClient(url)).toThrow(expect.objectContaining({ code: 'WRONG_USAGE' }));
  }
});
