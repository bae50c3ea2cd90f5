import { once } from 'node:events';
import { connect } from 'node:http2';
import type { DescMessage, DescMethod, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { type Plan, stageId, variantId } from '@equipoise/core/model';
import { grpcPath, readMessage, writeMessage } from '@equipoise/open-inference-codec';
import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { servingSpec } from '../data-plane/serving-bench.test-support.js';
import { DesiredReplicas } from '../observe/desired-replicas.js';
import { ExternalScaler } from './external-scaler.gen.js';
import { startKedaScaler } from './start-keda-scaler.js';

const opened: { close(): unknown }[] = [];

afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close();
});

const predicted = { latencyMs: 1, percentile: 99, pas: 1, capacityRps: 1, cpuCores: 1, costPerHour: 1 };
const planOf = (replicas: number): Plan => ({
  stages: {
    [stageId('a')]: [
      {
        ...{ variantId: variantId('v'), resources: { cpuCores: 1, memoryBytes: 0, gpus: 0 }, replicas },
        ...{ maxBatchSize: 1, maxBatchWaitMs: 0, trafficFraction: 1 },
      },
    ],
  },
  predicted,
});

const { isActive, streamIsActive, getMetricSpec, getMetrics } = ExternalScaler.method;
const same = (bytes: Buffer) => bytes;
const refOf = (scalerMetadata: Record<string, string> = { stage: 'a' }) => ({
  ...{ name: 'detect', namespace: 'models' },
  scalerMetadata: { scalerAddress: 'router:9090', ...scalerMetadata },
});

async function bench(replicas?: number) {
  const desired = new DesiredReplicas();
  const want = (count: number) => desired.note({ kind: 'in-force', plan: planOf(count), tookMs: 0 });
  if (replicas !== undefined) want(replicas);
  const scaler = await startKedaScaler({ spec: servingSpec(['a', 'b']), desired, port: 0 });
  const client = new Client(scaler.address, credentials.createInsecure());
  opened.push(scaler, client);
  const call = <In extends DescMessage, Out extends DescMessage>(
    method: DescMethod & { readonly input: In; readonly output: Out },
    message: MessageInitShape<In>,
  ): Promise<MessageShape<Out>> =>
    new Promise((resolve, reject) => {
      const bytes = Buffer.from(writeMessage(method.input, message));
      client.makeUnaryRequest(grpcPath(method), same, same, bytes, (error, answer) => {
        if (error) reject(error);
        else resolve(readMessage(method.output, answer ?? new Uint8Array(0)));
      });
    });
  /** Messages and end of a StreamIsActive call. */
  const activity = (ref = refOf()) => {
    const told: boolean[] = [];
    const bytes = Buffer.from(writeMessage(streamIsActive.input, ref));
    const stream = client.makeServerStreamRequest(grpcPath(streamIsActive), same, same, bytes);
    stream.on('data', (message: Buffer) => told.push(readMessage(streamIsActive.output, message).result));
    const ended = new Promise<ServiceError>((resolve) => stream.on('error', resolve));
    return { told, ended, cancel: () => stream.cancel() };
  };
  return { scaler, want, call, activity };
}

describe('a scaler for KEDA', () => {
  it('tells the replicas that are wanted, against a target of 1', async () => {
    const { call, want } = await bench(3);
    expect(await call(isActive, refOf())).toMatchObject({ result: true });
    const spec = { metricName: 'desired-replicas', targetSize: 1n, targetSizeFloat: 1 };
    expect((await call(getMetricSpec, refOf())).metricSpecs).toMatchObject([spec]);
    const asked = { scaledObjectRef: refOf(), metricName: 'desired-replicas' };
    const measured = (replicas: number) => ({
      ...{ metricName: 'desired-replicas', metricValue: BigInt(replicas), metricValueFloat: replicas },
    });
    expect((await call(getMetrics, asked)).metricValues).toMatchObject([measured(3)]);
    want(7);
    expect((await call(getMetrics, asked)).metricValues).toMatchObject([measured(7)]);
    expect(await call(isActive, refOf({ stage: 'b' }))).toMatchObject({ result: false });
    expect(await call(isActive, refOf({ pipeline: 'bench', stage: 'a', variant: 'v' }))).toMatchObject({
      result: true,
    });
  });

  it.each<[string, Record<string, string>, number, string]>([
    ['another pipeline', { pipeline: 'shelf', stage: 'a' }, status.NOT_FOUND, 'the pipeline shelf; there are bench'],
    ['no stage', {}, status.INVALID_ARGUMENT, 'name no stage; there are a, b'],
    ['another stage', { stage: 'c' }, status.NOT_FOUND, 'the stage c; there are a, b'],
    ['another variant', { stage: 'a', variant: 'w' }, status.NOT_FOUND, 'the variant w of the stage a; there are v'],
  ])('refuses a ScaledObject of %s, in each method', async (_, metadata, code, words) => {
    const { call, activity } = await bench(3);
    const refused = { code, details: expect.stringContaining(words) };
    await expect(call(isActive, refOf(metadata))).rejects.toMatchObject(refused);
    await expect(call(getMetricSpec, refOf(metadata))).rejects.toMatchObject(refused);
    await expect(call(getMetrics, { scaledObjectRef: refOf(metadata) })).rejects.toMatchObject(refused);
    expect(await activity(refOf(metadata)).ended).toMatchObject(refused);
  });

  it('is unavailable without a plan, so that nothing is scaled down for want of one', async () => {
    const { call, activity } = await bench();
    await expect(call(getMetrics, { scaledObjectRef: refOf() })).rejects.toMatchObject({ code: status.UNAVAILABLE });
    expect(await activity().ended).toMatchObject({ code: status.UNAVAILABLE });
  });

  it('streams whether replicas are wanted: at once, and when that changes', async () => {
    const { activity, want } = await bench(0);
    const { told, ended, cancel } = activity();
    await expect.poll(() => told).toEqual([false]);
    want(2);
    want(3);
    await expect.poll(() => told).toEqual([false, true]);
    want(0);
    await expect.poll(() => told).toEqual([false, true, false]);
    cancel();
    expect(await ended).toMatchObject({ code: status.CANCELLED });
    want(1);
    expect(told).toHaveLength(3);
  });

  it('ends its streams when it closes', async () => {
    const { activity, scaler } = await bench(1);
    const { told, ended } = activity();
    await expect.poll(() => told).toEqual([true]);
    const startedAtMs = performance.now();
    await scaler.close();
    expect(await ended).toMatchObject({ code: status.UNAVAILABLE });
    expect(performance.now() - startedAtMs).toBeLessThan(1500);
  });

  it('refuses what is no call of it', async () => {
    const { scaler } = await bench(1);
    const session = connect(`http://${scaler.address}`);
    opened.push(session);
    const head = { ':method': 'POST', te: 'trailers', 'content-type': 'application/grpc' };
    const answerTo = async (path: string, body: Buffer) => {
      const stream = session.request({ ...head, ':path': path });
      stream.end(body);
      stream.resume();
      const [headers] = await once(stream, 'response');
      return Number(headers['grpc-status']);
    };
    expect(await answerTo('/externalscaler.ExternalScaler/StreamMetricSpec', Buffer.alloc(5))).toBe(
      status.UNIMPLEMENTED,
    );
    const tooLong = Buffer.from([0, 0, 255, 255, 255]);
    const junk = Buffer.from([0, 0, 0, 0, 2, 255, 255]);
    for (const path of [grpcPath(streamIsActive), grpcPath(getMetrics)]) {
      expect(await answerTo(path, tooLong)).toBe(status.RESOURCE_EXHAUSTED);
      expect(await answerTo(path, junk)).toBe(status.INVALID_ARGUMENT);
      expect(await answerTo(path, Buffer.alloc(0))).toBe(status.UNIMPLEMENTED);
    }
  });
});
