/** Refusals of calls, and their retry delays. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { gzipSync } from 'node:zlib';
import { AppError } from '@equipoise/core/model';
import { grpcMethods, grpcPath, listenMethod, writeGrpcRequest, writeMessage } from '@equipoise/open-inference-codec';
import { Metadata, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import type { StageFailure } from '../../data-plane/stage-failure.js';
import { framed, withInputs } from './grpc-bench.test-support.js';
import { endBenches, held, image, patient, requestOf, start, x } from './grpc-calls.test-support.js';
import { unpackingMemory } from './grpc-message.js';
import { grpcRefusal } from './grpc-status.js';

afterEach(endBenches);

describe('refusals', () => {
  const int8 = { datatype: 'INT8', shape: [1], data: Int8Array.of(1) } as const;

  it.each<[string, Uint8Array, number, string]>([
    ['no message', Uint8Array.of(255, 255), status.INVALID_ARGUMENT, 'not a message inference.ModelInferRequest'],
    ['another pipeline', writeGrpcRequest('other', { inputs: x }, true), status.NOT_FOUND, 'served: bench'],
    ['another input', requestOf(x), status.INVALID_ARGUMENT, 'There is no input x; the inputs are image'],
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

  it('of compressed messages, which leave no memory taken', async () => {
    const { address } = await start({ maxBodyBytes: 1100 });
    const gzip = { 'grpc-encoding': 'gzip' };
    const broken = framed(new Uint8Array(100), 1);
    for (let call = 0; call < 3; call++) expect(await sendRaw(address, broken, gzip)).toBe(status.INTERNAL);
    expect(await sendRaw(address, framed(gzipSync(new Uint8Array(1e6)), 1), gzip)).toBe(status.RESOURCE_EXHAUSTED);
    expect(await sendRaw(address, framed(gzipSync(new Uint8Array(10)), 1), gzip)).toBe(status.INVALID_ARGUMENT);
    // More than the whole memory is granted only when nothing is taken.
    await unpackingMemory.take({}, 2 ** 40);
    unpackingMemory.release(2 ** 40);
  });

  it('of compressed messages that wait for memory: they count until their turn, although the call is over', async () => {
    const { address } = await start({ maxBodyBytes: 100_000, maxInboundBytes: 100_000 });
    const packed = framed(gzipSync(randomBytes(70_000)), 1);
    const gzip = { 'grpc-encoding': 'gzip' };
    await unpackingMemory.take({}, 2 ** 40);
    const late = { ...gzip, 'grpc-timeout': '300m' };
    expect(await sendRaw(address, packed, late)).toBe(status.DEADLINE_EXCEEDED);
    expect(await sendRaw(address, packed, gzip)).toBe(status.RESOURCE_EXHAUSTED);
    // A method that takes only short messages does not wait.
    const question = { ...gzip, ':path': grpcPath(grpcMethods.serverReady) };
    const long = framed(gzipSync(new Uint8Array(1e5)), 1);
    expect(await sendRaw(address, long, question)).toBe(status.RESOURCE_EXHAUSTED);
    unpackingMemory.release(2 ** 40);
    await unpackingMemory.take({}, 2 ** 40);
    unpackingMemory.release(2 ** 40);
    expect(await sendRaw(address, packed, gzip)).toBe(status.INVALID_ARGUMENT);
  });

  it('of a long message of a method that takes a name', async () => {
    const { send } = await start();
    const ask = (bytes: number) => send('/inference.GRPCInferenceService/ServerReady', new Uint8Array(bytes)).ended;
    expect((await ask(64 * 1024 + 1)).error?.code).toBe(status.RESOURCE_EXHAUSTED);
    const listen = await send(grpcPath(listenMethod), new Uint8Array(64 * 1024 + 1)).ended;
    expect(listen.error?.code).toBe(status.RESOURCE_EXHAUSTED);
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
    const { infer, runner } = await start({ starting: true, holdLimits: { mostRequests: 0 } });
    const { error } = await infer(requestOf(x)).ended;
    expect(error?.code).toBe(status.UNAVAILABLE);
    expect(error?.metadata.getMap()).toMatchObject({ 'grpc-retry-pushback-ms': '1000' });
    const unknown = await infer(writeGrpcRequest('other', { inputs: x }, true)).ended;
    expect(unknown.error?.code).toBe(status.NOT_FOUND);
    expect(runner.statistics.total).toMatchObject({ arrived: 1, dropped: { 'no-ready-replica': 1 } });
  });

  it('none while a pipeline that starts holds the request', async () => {
    const { infer, server } = await start({ starting: true });
    const { ended } = infer(requestOf(x));
    await expect.poll(() => server.heldRequests).toBe(1);
    server.beginServing();
    expect((await ended).error).toBeUndefined();
  });

  it('of a call that is held beyond its deadline', async () => {
    const { infer, server, runner } = await start({ starting: true });
    const { error } = await infer(requestOf(x), { deadline: Date.now() + 100 }).ended;
    expect(error?.code).toBe(status.DEADLINE_EXCEEDED);
    await expect.poll(() => runner.statistics.total.dropped.cancelled).toBe(1);
    server.beginServing();
    expect(runner.statistics.total).toMatchObject({ arrived: 1, completed: 0 });
  });

  it('of a pipeline that drains', async () => {
    const { infer, runner } = await start();
    runner.beginDraining();
    const { error } = await infer(requestOf(x)).ended;
    expect(error?.code).toBe(status.UNAVAILABLE);
    expect(error?.metadata.get('equipoise-reason')).toEqual(['draining']);
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
