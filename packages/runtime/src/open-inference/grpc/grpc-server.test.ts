import { once } from 'node:events';
import { connect } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { stageId, type TensorMap } from '@equipoise/core/model';
import {
  grpcMethods,
  grpcPath,
  healthCheck,
  readGrpcResponse,
  readMessage,
  writeGrpcRequest,
  writeMessage,
} from '@equipoise/open-inference-codec';
import { Metadata, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { edge, fp32, ScriptedRunner, serve, servingSpec } from '../../data-plane/serving-bench.test-support.js';
import { tenantsOf } from '../http-bench.test-support.js';
import { answered, framed, grpcBench, withInputs } from './grpc-bench.test-support.js';
import { endBenches, held, image, patient, requestOf, start, x } from './grpc-calls.test-support.js';

afterEach(endBenches);

describe('the methods', () => {
  it('tell health and metadata', async () => {
    const { call, inferred } = await start({ spec: withInputs(image) });
    expect(answered(grpcMethods.serverLive.output, await call('serverLive'))).toMatchObject({ live: true });
    expect(answered(grpcMethods.serverReady.output, await call('serverReady'))).toMatchObject({ ready: true });
    expect(answered(grpcMethods.modelReady.output, await call('modelReady', { name: 'bench' }))).toMatchObject({
      ready: true,
    });
    expect(answered(grpcMethods.serverMetadata.output, await call('serverMetadata'))).toMatchObject({
      name: 'equipoise',
      version: '9.9.9',
    });
    await inferred(requestOf({ image: { datatype: 'UINT8', shape: [1], data: Uint8Array.of(1) } }));
    await inferred(requestOf({ image: { datatype: 'UINT8', shape: [2], data: Uint8Array.of(1, 2) } }));
    const metadata = answered(grpcMethods.modelMetadata.output, await call('modelMetadata', { name: 'bench' }));
    expect(metadata).toMatchObject({ name: 'bench', platform: 'equipoise' });
    expect(metadata.inputs).toMatchObject([{ name: 'image', datatype: 'UINT8', shape: [-1n, -1n] }]);
    expect(metadata.outputs).toMatchObject([{ name: 'image', datatype: 'UINT8', shape: [-1n, -1n] }]);
    const stage = answered(grpcMethods.modelMetadata.output, await call('modelMetadata', { name: 'bench.a' }));
    expect(stage).toMatchObject({ name: 'bench.a', versions: ['v'], inputs: [], outputs: [] });
  });

  it('give configuration, statistics and index as REST does', async () => {
    const { call, inferred } = await start({ spec: withInputs(image) });
    await inferred(requestOf({ image: { datatype: 'UINT8', shape: [2, 3], data: new Uint8Array(6) } }));
    const { config } = answered(grpcMethods.modelConfig.output, await call('modelConfig', { name: 'bench' }));
    expect(config).toMatchObject({
      name: 'bench',
      maxBatchSize: 50,
      input: [{ name: 'image', dataType: 2, dims: [-1n] }],
      output: [{ name: 'image', dataType: 2, dims: [3n] }],
    });
    const statistics = async (name: string) =>
      answered(grpcMethods.modelStatistics.output, await call('modelStatistics', { name })).modelStats;
    expect(await statistics('bench')).toMatchObject([
      { name: 'bench', inferenceCount: 2n, inferenceStats: { success: { count: 2n }, fail: { count: 0n } } },
      { name: 'bench.a', executionCount: 2n, batchStats: [{ batchSize: 1n, computeInfer: { count: 2n } }] },
    ]);
    expect(await statistics('')).toHaveLength(2);
    const index = answered(grpcMethods.repositoryIndex.output, await call('repositoryIndex', { ready: true }));
    expect(index.models).toMatchObject([{ name: 'bench', state: 'READY' }]);
    for (const name of ['modelConfig', 'modelStatistics'] as const) {
      expect((await call(name, { name: 'other' })).error?.code).toBe(status.NOT_FOUND);
      expect((await call(name, { name: 'bench', version: '1' })).error?.code).toBe(status.NOT_FOUND);
    }
  });

  it('answer probes of the standard health service', async () => {
    const { send, runner } = await start();
    const probe = async (service: string) => {
      const { answer, error } = await send(grpcPath(healthCheck), writeMessage(healthCheck.input, { service })).ended;
      return error?.code ?? readMessage(healthCheck.output, answer ?? new Uint8Array(0)).status;
    };
    const services = ['', 'inference.GRPCInferenceService', 'bench'];
    expect(await Promise.all(services.map(probe))).toEqual([1, 1, 1]);
    expect(await probe('other')).toBe(status.NOT_FOUND);
    runner.beginDraining();
    await expect.poll(() => Promise.all(services.map(probe))).toEqual([2, 2, 2]);
  });

  it.each([true, false])('infer, in the form in which the tensors came (raw %s)', async (raw) => {
    const { infer, inferred, replica } = await start();
    const inputs: TensorMap = {
      x: fp32([2, 1], 0.5, -0),
      big: { datatype: 'INT64', shape: [1], data: BigInt64Array.of(-(2n ** 62n)) },
      text: { datatype: 'BYTES', shape: [2], data: ['', 'grüße'] },
      none: { datatype: 'UINT8', shape: [0, 3], data: new Uint8Array(0) },
    };
    expect(await inferred(requestOf(inputs, { id: 'r' }, raw))).toEqual({
      modelName: 'bench',
      id: 'r',
      outputs: inputs,
    });
    expect(replica.batches).toEqual([[inputs]]);
    const { answer } = await infer(requestOf(inputs, {}, raw)).ended;
    const message = readMessage(grpcMethods.modelInfer.output, answer ?? new Uint8Array(0));
    expect(message.rawOutputContents).toHaveLength(raw ? 4 : 0);
  });

  it.each([true, false])('infer client batches item by item (raw %s)', async (raw) => {
    const { inferred, infer, replica } = await start({ spec: withInputs(image) });
    const inputs: TensorMap = { image: { datatype: 'UINT8', shape: [2, 3], data: Uint8Array.of(1, 2, 3, 4, 5, 6) } };
    expect((await inferred(requestOf(inputs, {}, raw))).outputs).toEqual(inputs);
    expect(replica.batches.flat().map(({ image: item }) => item?.shape)).toEqual([[3], [3]]);
    const none: TensorMap = { image: { datatype: 'UINT8', shape: [0, 3], data: new Uint8Array(0) } };
    const { error } = await infer(requestOf(none, {}, raw)).ended;
    expect([error?.code, error?.metadata.get('equipoise-code')]).toEqual([
      status.INVALID_ARGUMENT,
      ['BATCH_SIZE_INVALID'],
    ]);
  });

  it('pass tensors of a request on to later stages, per item of a client batch, as REST does', async () => {
    const inputs = [
      { name: 'twice', output: 'y' },
      { name: 'photo', source: 'image' },
      { name: 'limit', constant: { datatype: 'INT32', shape: [], data: [7] } },
    ] as const;
    const sources = [{ name: 'input', to: [stageId('a')], tensors: [image] }];
    const { inferred, runner, server } = await start({
      spec: servingSpec(['a', 'b'], { sources, edges: [edge('a', 'b', { inputs })] }),
      script: ({ image: photo }) => ({ y: fp32([1], 2 * Number(photo?.data[0])), unused: fp32([1], 0) }),
    });
    const later = new ScriptedRunner(
      (item) => item,
      async () => {},
    );
    serve(runner, 'b', later);
    const photos = { datatype: 'UINT8', shape: [2, 1], data: Uint8Array.of(3, 4) } as const;
    const limit = { datatype: 'INT32', shape: [2], data: Int32Array.of(7, 7) };
    expect((await inferred(requestOf({ image: photos }))).outputs).toEqual({
      twice: fp32([2, 1], 6, 8),
      photo: photos,
      limit,
    });
    const reply = await fetch(`${server.url}/v2/models/bench/infer`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ inputs: [{ ...photos, name: 'image', data: [3, 4] }] }),
    });
    const { outputs } = (await reply.json()) as { outputs: { name: string; shape: number[]; data: number[] }[] };
    expect(Object.fromEntries(outputs.map(({ name, shape, data }) => [name, { shape, data }]))).toEqual({
      twice: { shape: [2, 1], data: [6, 8] },
      photo: { shape: [2, 1], data: [3, 4] },
      limit: { shape: [2], data: [7, 7] },
    });
    expect(later.batches.flat().map(({ photo }) => photo?.data[0])).toEqual([3, 4, 3, 4]);
  });

  it('give the outputs that are asked for', async () => {
    const { inferred, infer } = await start();
    const inputs: TensorMap = { x: fp32([1], 1), y: fp32([1], 2) };
    expect(Object.keys((await inferred(requestOf(inputs, { outputs: ['y'] }))).outputs)).toEqual(['y']);
    const { error } = await infer(requestOf(inputs, { outputs: ['z'] })).ended;
    expect(error).toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: expect.stringContaining('outputs are x, y'),
    });
  });

  it('give a stage tensors in memory that nobody else has', async () => {
    const { inferred, replica } = await start();
    await inferred(requestOf({ d: { datatype: 'FP64', shape: [2], data: Float64Array.of(1, 2) } }));
    const data = replica.batches[0]?.[0]?.['d']?.data as Float64Array;
    expect(data.buffer.byteLength).toBeLessThan(200);
  });
});

describe('several sources', () => {
  const number = (name: string) => ({ name, datatype: 'FP32' as const, shape: [1], contentTypes: [] });
  const spec = servingSpec(['a', 'b', 'both'], {
    sources: [
      { name: 'left', to: [stageId('a')], tensors: [number('l')] },
      { name: 'right', to: [stageId('b')], tensors: [number('r')], onMissing: 'partial' },
    ],
    sourceJoin: { maxWaitMs: 60_000, maxWaiting: 10 },
    edges: [edge('a', 'both'), edge('b', 'both')],
  });
  const echo = () =>
    new ScriptedRunner(
      (item) => item,
      async () => {},
    );
  const served = async (more: object = {}) => {
    const bench = await start({ spec: { ...spec, ...more } });
    for (const stage of ['b', 'both']) serve(bench.runner, stage, echo());
    const post = async (path: string, body: unknown, headers: Record<string, string> = {}) => {
      const sent = { method: 'POST', headers: { 'content-type': 'application/json', ...headers } };
      const reply = await fetch(`${bench.server.url}${path}`, { ...sent, body: JSON.stringify(body) });
      return { status: reply.status, body: (await reply.json()) as { readonly outputs?: unknown } };
    };
    return { ...bench, post };
  };
  const part = (model: string, inputs: TensorMap, more: object = {}) =>
    writeGrpcRequest(model, { inputs, ...more }, true);
  const rest = (name: string, value: number) => ({ inputs: [{ name, datatype: 'FP32', shape: [1], data: [value] }] });

  it('are models, whose parts meet over gRPC and REST', async () => {
    const { infer, post, call, server } = await served();
    const left = infer(part('bench.left', { l: fp32([1], 1) }, { id: 'q' })).ended;
    const right = await post('/v2/models/bench.right/infer', { id: 'q', ...rest('r', 2) });
    const both = { l: fp32([1], 1), r: fp32([1], 2) };
    expect(readGrpcResponse((await left).answer ?? new Uint8Array(0))).toEqual({
      modelName: 'bench.left',
      id: 'q',
      outputs: both,
    });
    expect(right).toMatchObject({ status: 200, body: { model_name: 'bench.right', id: 'q' } });
    expect(right.body.outputs).toMatchObject([
      { name: 'l', data: [1] },
      { name: 'r', data: [2] },
    ]);
    const plain = [
      post('/v1/pipelines/bench.left/run', { l: [3] }, { 'x-request-id': 'p' }),
      post('/v1/pipelines/bench.right/run', { r: [4] }, { 'x-request-id': 'p' }),
    ];
    for (const reply of await Promise.all(plain)) expect(reply.body.outputs).toEqual({ l: [3], r: [4] });
    const whole = await post('/v2/models/bench/infer', { inputs: [...rest('l', 5).inputs, ...rest('r', 6).inputs] });
    expect(whole.body.outputs).toMatchObject([
      { name: 'l', data: [5] },
      { name: 'r', data: [6] },
    ]);
    const metadata = async (name: string) =>
      answered(grpcMethods.modelMetadata.output, await call('modelMetadata', { name })).inputs;
    expect(await metadata('bench.right')).toMatchObject([{ name: 'r', shape: [1n] }]);
    expect(await metadata('bench')).toMatchObject([
      { name: 'l', shape: [-1n, 1n] },
      { name: 'r', shape: [-1n, 1n] },
    ]);
    const config = await (await fetch(`${server.url}/v2/models/bench.left/config`)).json();
    expect(config).toMatchObject({ name: 'bench.left', max_batch_size: 0, input: [{ name: 'l', dims: [1] }] });
  });

  it('refuse parts without a usable id, batches, and parts that are late or repeated', async () => {
    const { infer, post, runner } = await served({ sourceJoin: { maxWaitMs: 30, maxWaiting: 10 } });
    const left = '/v2/models/bench.left/infer';
    expect(await post(left, rest('l', 1))).toMatchObject({ status: 400, body: { code: 'MALFORMED_REQUEST' } });
    const long = { id: 'x'.repeat(257), ...rest('l', 1) };
    expect(await post(left, long)).toMatchObject({ status: 400, body: { code: 'MALFORMED_REQUEST' } });
    const two = { id: 'q', inputs: [{ name: 'l', datatype: 'FP32', shape: [2, 1], data: [1, 2] }] };
    expect(await post(left, two)).toMatchObject({ status: 422, body: { code: 'BATCH_SIZE_INVALID' } });
    const alone = await post(left, { id: 'q', ...rest('l', 1) });
    expect(alone).toMatchObject({ status: 200, body: { parameters: { missing: 'right' } } });
    const missing = await post('/v2/models/bench.right/infer', { id: 'other', ...rest('r', 1) });
    expect(missing).toMatchObject({ status: 408, body: { code: 'PART_MISSING', details: { sources: ['left'] } } });
    const { error } = await infer(part('bench.left', { l: fp32([1], 1) })).ended;
    expect(error?.code).toBe(status.INVALID_ARGUMENT);
    expect(runner.partCounts.sources).toMatchObject([{ joined: 1 }, { missing: 1, unmatched: 1 }]);
  });

  it('tell late and repeated parts apart', async () => {
    const { post, runner } = await served();
    const send = (name: string, model: string) => post(`/v2/models/${model}/infer`, { id: 'q', ...rest(name, 1) });
    const first = send('l', 'bench.left');
    await expect.poll(() => runner.partCounts.waiting).toBe(1);
    expect(await send('l', 'bench.left')).toMatchObject({ status: 409, body: { code: 'PART_DUPLICATE' } });
    expect(await send('r', 'bench.right')).toMatchObject({ status: 200 });
    expect(await first).toMatchObject({ status: 200 });
  });

  it('may meet by a key of their data, and join the newest value of a slow one', async () => {
    const text = { name: 'k', datatype: 'BYTES' as const, shape: [1], contentTypes: [] };
    const [left, right] = spec.sources;
    const sources = [
      { ...left, tensors: [number('l'), text], key: 'k' },
      { ...right, onMissing: undefined, latest: { maxAgeMs: 600_000 } },
    ];
    const sourceJoin = { maxWaitMs: 60_000, maxWaiting: 10, by: 'key' };
    const { post, infer, call } = await served({ sources, sourceJoin });
    const keyed = (value: number, key: string) => ({
      inputs: [...rest('l', value).inputs, { name: 'k', datatype: 'BYTES', shape: [1], data: [key] }],
    });
    expect(await post('/v2/models/bench.left/infer', keyed(1, 'lamp'))).toMatchObject({
      status: 409,
      body: { code: 'PART_STALE', details: { sources: ['right'] } },
    });
    const kept = await post('/v2/models/bench.right/infer', { id: 'lamp', ...rest('r', 5) });
    expect(kept).toMatchObject({ status: 200, body: { outputs: [] } });
    expect((await post('/v1/pipelines/bench.right/run', { r: [6] }, { 'x-request-id': 'sun' })).status).toBe(200);
    const metadata = answered(grpcMethods.modelMetadata.output, await call('modelMetadata', { name: 'bench.right' }));
    expect(metadata.outputs).toEqual([]);
    const inputs: TensorMap = { l: fp32([1], 2), k: { datatype: 'BYTES', shape: [1], data: ['lamp'] } };
    const { answer } = await infer(part('bench.left', inputs)).ended;
    expect(readGrpcResponse(answer ?? new Uint8Array(0)).outputs).toMatchObject({ r: fp32([1], 5) });
    const other = await post('/v2/models/bench.left/infer', keyed(3, 'moon'));
    expect(other).toMatchObject({ status: 409, body: { code: 'PART_STALE' } });
    const long = await post('/v2/models/bench.left/infer', keyed(3, 'x'.repeat(300)));
    expect(long).toMatchObject({ status: 422, body: { code: 'PART_KEY_INVALID', details: { tensor: 'k' } } });
  });
});

describe('ids', () => {
  it('come back where they are fit to be, and are new where not', async () => {
    const { infer } = await start();
    const idFor = async (given: string | undefined) => {
      const metadata = new Metadata();
      if (given !== undefined) metadata.set('x-request-id', given);
      const { headers, answer } = await infer(requestOf(x), { metadata }).ended;
      const id = headers?.get('x-request-id')[0];
      expect(readMessage(grpcMethods.modelInfer.output, answer ?? new Uint8Array(0)).id).toBe(id);
      return id;
    };
    expect(await idFor('my-id')).toBe('my-id');
    expect(await idFor('with space')).toMatch(/^[0-9a-f-]{36}$/);
    expect(await idFor(undefined)).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe('deadlines', () => {
  it('of the call end it, and its request leaves the queue', async () => {
    const { wait, letGo } = held();
    const { infer, runner, replica } = await start({ ...patient, wait });
    const running = infer(requestOf(x)).ended;
    await expect.poll(() => replica.batches.length).toBe(1);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const queued = infer(requestOf(x), { deadline: Date.now() + 30_000 }).ended;
    await expect.poll(() => runner.inFlight).toBe(2);
    vi.advanceTimersByTime(30_000);
    vi.useRealTimers();
    expect((await queued).error?.code).toBe(status.DEADLINE_EXCEEDED);
    await expect.poll(() => runner.inFlight).toBe(1);
    letGo();
    expect((await running).error).toBeUndefined();
    expect(replica.batches).toHaveLength(1);
  });

  it('of the parameters hold, too', async () => {
    const { wait, letGo } = held();
    const { infer, replica } = await start({ ...patient, wait });
    const running = infer(requestOf(x)).ended;
    await expect.poll(() => replica.batches.length).toBe(1);
    for (const parameters of [{ timeout_ms: 30 }, { timeout: 30_000 }]) {
      const { error } = await infer(requestOf(x, { parameters })).ended;
      expect(error?.code).toBe(status.DEADLINE_EXCEEDED);
      expect(error?.metadata.get('equipoise-reason')).toEqual(['deadline-passed']);
    }
    letGo();
    await running;
  });

  it('of messages: one that does not come ends the call', async () => {
    const { address } = await start({ requestTimeoutMs: 60 });
    const session = connect(`http://${address}`);
    const stream = session.request({
      ':method': 'POST',
      ':path': grpcPath(grpcMethods.modelInfer),
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.write(Buffer.from([0, 0, 0, 1]));
    const [headers] = await once(stream, 'response');
    expect(headers).toMatchObject({ 'grpc-status': String(status.DEADLINE_EXCEEDED) });
    stream.resume();
    await once(stream, 'close');
    session.destroy();
  });
});

describe('a client that goes away', () => {
  it.each(['cancels', 'loses its connection'])('takes its queued request along: %s', async (how) => {
    const { wait, letGo } = held();
    const { infer, runner, replica, address } = await start({ ...patient, wait });
    const running = infer(requestOf(x)).ended;
    await expect.poll(() => replica.batches.length).toBe(1);
    if (how === 'cancels') {
      const queued = infer(requestOf(x));
      await expect.poll(() => runner.inFlight).toBe(2);
      queued.cancel();
      expect((await queued.ended).error?.code).toBe(status.CANCELLED);
    } else {
      const [, port] = address.split(':');
      const socket = connectSocket(Number(port), '127.0.0.1');
      const session = connect(`http://${address}`, { createConnection: () => socket });
      session.on('error', () => {});
      const stream = session.request({
        ':method': 'POST',
        ':path': grpcPath(grpcMethods.modelInfer),
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      stream.on('error', () => {});
      stream.end(framed(requestOf(x)));
      await expect.poll(() => runner.inFlight).toBe(2);
      socket.destroy();
    }
    await expect.poll(() => runner.inFlight).toBe(1);
    letGo();
    expect((await running).error).toBeUndefined();
    expect(replica.batches).toHaveLength(1);
  });
});

describe('a token', () => {
  it('is asked for, except by probes of health', async () => {
    const { infer, call, send } = await start({ tenants: tenantsOf('secret') });
    const shown = (token?: string) => {
      const metadata = new Metadata();
      if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
      return infer(requestOf(x), { metadata }).ended;
    };
    expect((await shown()).error?.code).toBe(status.UNAUTHENTICATED);
    expect((await shown('other')).error?.code).toBe(status.UNAUTHENTICATED);
    expect((await shown('secret')).error).toBeUndefined();
    const probe = send(grpcPath(healthCheck), writeMessage(healthCheck.input, {})).ended;
    expect([await call('serverLive'), await call('serverReady'), await probe].map(({ error }) => error)).toEqual(
      Array(3).fill(undefined),
    );
    expect((await call('modelMetadata', { name: 'bench' })).error?.code).toBe(status.UNAUTHENTICATED);
  });
});

describe('closing', () => {
  it('lets running calls end', async () => {
    const { wait, letGo } = held();
    const { infer, server, replica } = await start({ ...patient, wait });
    const running = infer(requestOf(x)).ended;
    await expect.poll(() => replica.batches.length).toBe(1);
    const closed = server.close({ timeoutMs: 10_000 });
    await sleep(1);
    letGo();
    expect((await running).error).toBeUndefined();
    await closed;
  });

  it('cuts off what does not end', async () => {
    const { wait, letGo } = held();
    const { infer, server, replica, runner } = await start({ ...patient, wait });
    const running = infer(requestOf(x)).ended;
    await expect.poll(() => replica.batches.length).toBe(1);
    await server.close({ timeoutMs: 20 });
    expect((await running).error?.code).toBe(status.CANCELLED);
    letGo();
    await expect.poll(() => runner.inFlight).toBe(0);
  });

  it('is refused a port that is taken, and lets go of the other one', async () => {
    const closed = await start();
    await closed.server.close({ timeoutMs: 100 });
    const free = Number(new URL(closed.server.url).port);
    const taken = Number((await start()).address.split(':')[1]);
    await expect(grpcBench({ port: free, grpcPort: taken })).rejects.toMatchObject({ code: 'PORT_IN_USE' });
    await start({ port: free });
  });
});
