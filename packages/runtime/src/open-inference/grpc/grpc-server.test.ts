import { once } from 'node:events';
import { connect } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { AppError, type SourceTensor, type TensorMap } from '@equipoise/core';
import {
  grpcMethods,
  grpcPath,
  healthCheck,
  readMessage,
  writeGrpcRequest,
  writeMessage,
} from '@equipoise/open-inference-codec';
import { Metadata, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { fp32 } from '../../data-plane/serving-bench.test-support.js';
import type { StageFailure } from '../../data-plane/stage-failure.js';
import { tenantsOf } from '../http-bench.test-support.js';
import { answered, type BenchOptions, framed, grpcBench, withInputs } from './grpc-bench.test-support.js';
import { grpcRefusal } from './grpc-refusal.js';

const benches: { close(): Promise<void> }[] = [];

afterEach(async () => {
  await Promise.all(benches.splice(0).map((bench) => bench.close()));
});

async function start(options: BenchOptions = {}) {
  const bench = await grpcBench(options);
  benches.push(bench);
  const call = async (name: keyof typeof grpcMethods, fields: Readonly<Record<string, unknown>> = {}) =>
    bench.send(grpcPath(grpcMethods[name]), writeMessage(grpcMethods[name].input, fields as object)).ended;
  return { ...bench, call };
}

/** A replica that waits until it is let go. */
function held() {
  let letGo = () => {};
  const gate = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  return { wait: () => gate, letGo: () => letGo() };
}

const x: TensorMap = { x: fp32([2], 1, 2) };
const requestOf = (inputs: TensorMap, more: object = {}, raw = true) =>
  writeGrpcRequest('bench', { inputs, ...more }, raw);
const image: SourceTensor = { name: 'image', datatype: 'UINT8', shape: [-1], contentTypes: [] };
const patient = { spec: { slo: { latencyMs: 60_000, percentile: 99 } } } as const;

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
    expect(metadata.inputs).toMatchObject([{ name: 'image', datatype: 'UINT8', shape: [-1n] }]);
    expect(metadata.outputs).toMatchObject([{ name: 'image', datatype: 'UINT8', shape: [-1n] }]);
    const stage = answered(grpcMethods.modelMetadata.output, await call('modelMetadata', { name: 'bench.a' }));
    expect(stage).toMatchObject({ name: 'bench.a', versions: ['v'], inputs: [], outputs: [] });
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
    const queued = infer(requestOf(x), { deadline: Date.now() + 80 }).ended;
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

describe('refusals', () => {
  const int8 = { datatype: 'INT8', shape: [1], data: Int8Array.of(1) } as const;

  it.each<[string, Uint8Array, number, string]>([
    ['no message', Uint8Array.of(255, 255), status.INVALID_ARGUMENT, 'no message inference.ModelInferRequest'],
    ['another pipeline', writeGrpcRequest('other', { inputs: x }, true), status.NOT_FOUND, 'served: bench'],
    ['another input', requestOf(x), status.INVALID_ARGUMENT, 'the inputs are image'],
    ['another type', requestOf({ image: int8 }), status.INVALID_ARGUMENT, 'its datatype must be UINT8, found INT8'],
    [
      'a version',
      writeMessage(grpcMethods.modelInfer.input, { modelName: 'bench', modelVersion: '1' }),
      status.NOT_FOUND,
      'leave the version of bench empty',
    ],
    [
      'a time-out that is none',
      requestOf(
        { image: { datatype: 'UINT8', shape: [0], data: new Uint8Array(0) } },
        { parameters: { timeout_ms: 0 } },
      ),
      status.INVALID_ARGUMENT,
      'timeout_ms must be a number of milliseconds above 0',
    ],
  ])('of %s', async (_, message, code, words) => {
    const { infer } = await start({ spec: withInputs(image) });
    const { error } = await infer(message).ended;
    expect(error).toMatchObject({ code, details: expect.stringContaining(words) });
  });

  it('of a method that there is not', async () => {
    const { send } = await start();
    const { error } = await send('/inference.GRPCInferenceService/ModelStream', new Uint8Array(0)).ended;
    expect(error?.code).toBe(status.UNIMPLEMENTED);
  });

  it('of what is too large, as it is and when it is unpacked', async () => {
    const { infer } = await start({ maxBodyBytes: 1000 });
    const bytes = (length: number) => ({
      b: { datatype: 'UINT8', shape: [length], data: new Uint8Array(length) } as const,
    });
    expect((await infer(requestOf(bytes(2000))).ended).error?.code).toBe(status.RESOURCE_EXHAUSTED);
    expect((await infer(requestOf(bytes(900))).ended).error).toBeUndefined();
    const metadata = new Metadata();
    metadata.set('grpc-encoding', 'gzip');
    const bomb = framed(gzipSync(new Uint8Array(1e6)), 1);
    expect(bomb.length).toBeLessThan(1100);
    expect(await sendRaw((await start({ maxBodyBytes: 1100 })).address, bomb, { 'grpc-encoding': 'gzip' })).toBe(
      status.RESOURCE_EXHAUSTED,
    );
  });

  it('of typed contents that would take much more memory than their bytes', async () => {
    const { infer } = await start({ maxBodyBytes: 10_000 });
    const longs = { n: { datatype: 'INT64', shape: [5000], data: new BigInt64Array(5000) } } as const;
    const { error } = await infer(requestOf(longs, {}, false)).ended;
    expect(error).toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      details: expect.stringContaining('send them as raw_input_contents'),
    });
  });

  it('of a stage: its own words reach the log alone', async () => {
    const failures: StageFailure[] = [];
    const { infer } = await start({
      script: () => new AppError('STAGE_FAILED', 'secret'),
      onStageFailure: (failure) => failures.push(failure),
    });
    const { error } = await infer(requestOf(x)).ended;
    expect(error).toMatchObject({ code: status.INTERNAL, details: expect.stringContaining('Stage a failed') });
    expect(error?.details).not.toContain('secret');
    expect(failures).toHaveLength(1);
  });

  it('of an input that a stage refuses, whatever characters it says so with', async () => {
    const { infer } = await start({ script: () => new AppError('INVALID_INPUT', `\ud800 ${'语'.repeat(3000)}`) });
    const { error } = await infer(requestOf(x)).ended;
    expect(error?.code).toBe(status.INVALID_ARGUMENT);
    expect(encodeURI(error?.details ?? '').length).toBeLessThanOrEqual(4096);
    expect(error?.metadata.get('equipoise-code')).toEqual(['INVALID_INPUT']);
  });

  it('of too much load say so and when to come again', async () => {
    const { wait, letGo } = held();
    const { infer, replica, runner } = await start({
      spec: { ...patient.spec, admission: { maxQueueLength: 1 } },
      wait,
    });
    const running = infer(requestOf(x)).ended;
    await expect.poll(() => replica.batches.length).toBe(1);
    const queued = infer(requestOf(x)).ended;
    await expect.poll(() => runner.inFlight).toBe(2);
    const { error } = await infer(requestOf(x)).ended;
    expect(error?.code).toBe(status.RESOURCE_EXHAUSTED);
    expect(error?.metadata.getMap()).toMatchObject({
      'equipoise-reason': 'queue-full',
      'grpc-retry-pushback-ms': '1000',
    });
    letGo();
    expect((await Promise.all([running, queued])).map((end) => end.error)).toEqual([undefined, undefined]);
  });

  it('of a pipeline that starts, but for one that there is not', async () => {
    const { infer } = await start({ starting: true });
    const { error } = await infer(requestOf(x)).ended;
    expect(error?.code).toBe(status.UNAVAILABLE);
    expect(error?.metadata.getMap()).toMatchObject({ 'grpc-retry-pushback-ms': '1000' });
    const unknown = await infer(writeGrpcRequest('other', { inputs: x }, true)).ended;
    expect(unknown.error?.code).toBe(status.NOT_FOUND);
  });

  it('of a pipeline that drains', async () => {
    const { infer, runner } = await start();
    runner.beginDraining();
    const { error } = await infer(requestOf(x)).ended;
    expect(error?.code).toBe(status.UNAVAILABLE);
    expect(error?.metadata.get('equipoise-reason')).toEqual(['draining']);
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

describe('when to come again', () => {
  it.each([
    [undefined, '1000'],
    [20, '1000'],
    [2500.4, '2501'],
    [90_000, '30000'],
  ])('a prediction of %j ms is told as %s', (retryAfterMs, told) => {
    const error = new AppError('DROPPED', 'no', { details: { reason: 'memory-full', retryAfterMs } });
    const { code, fields } = grpcRefusal(error);
    expect([code, fields['grpc-retry-pushback-ms']]).toEqual([status.RESOURCE_EXHAUSTED, told]);
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

/** The status of a ModelInfer call with this body. */
async function sendRaw(address: string, body: Uint8Array, headers: Readonly<Record<string, string>>): Promise<number> {
  const session = connect(`http://${address}`);
  const stream = session.request({
    ':method': 'POST',
    ':path': grpcPath(grpcMethods.modelInfer),
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  stream.on('error', () => {});
  stream.end(body);
  const [answer] = await once(stream, 'response');
  session.destroy();
  return Number(answer['grpc-status']);
}
