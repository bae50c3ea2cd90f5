import { AppError, SeededRng, type StageId, type TensorMap } from '@equipoise/core/model';
import type { BatchResult } from '@equipoise/core/ports';
import { ManualClock } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import { PipelineRunner } from '../data-plane/pipeline-runner.js';
import type { RequestEnd } from '../data-plane/request-end.js';
import { bench, serve, servingSpec } from '../data-plane/serving-bench.test-support.js';
import { type KeptTrace, RequestTracer, type TracedEnd } from './request-tracer.js';

const BAD = { bad: { datatype: 'BOOL' as const, shape: [0], data: new Uint8Array() } };
const parent = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), isSampled: true };

function tracerOf(fraction: number, epochMs = () => 1_000_000): RequestTracer {
  return new RequestTracer({ sampling: { fraction }, rng: new SeededRng(1), epochMs });
}

function served(fraction: number, more: Parameters<typeof servingSpec>[1] = {}) {
  const clock = new ManualClock();
  const tracer = tracerOf(fraction, () => 1_000_000 + clock.nowMs());
  const kept: KeptTrace[] = [];
  tracer.onKept((trace) => kept.push(trace));
  const spec = servingSpec(['a', 'b'], more);
  const scripts = { a: (item: object) => item as never, b: () => new AppError('INVALID_INPUT', 'odd') };
  const { pipeline } = bench(spec, clock, { ...scripts, b: (item) => ('bad' in item ? scripts.b() : item) }, tracer);
  const ends: RequestEnd[] = [];
  pipeline.onRequestEnd((end) => ends.push(end));
  return { clock, tracer, kept, pipeline, ends };
}

describe('a traced pipeline', () => {
  it('tells of every request at its end, whether its trace is kept or not', async () => {
    const { clock, tracer, pipeline, kept } = served(0);
    const ended: string[] = [];
    tracer.onEnded(({ request, end, endedEpochMs }) =>
      ended.push(`${request.traceId.slice(0, 2)} ${end.kind} ${end.latencyMs} ${endedEpochMs}`),
    );
    const traceParent = { ...parent, isSampled: false };
    const both = [pipeline.submit({}, { traceParent }), pipeline.submit(BAD as never, { traceParent })];
    await clock.advanceTo(clock.nowMs() + 40);
    await Promise.allSettled(both);
    expect(ended).toEqual(['aa completed 20 1000020', 'aa failed 30 1000030']);
    expect(kept).toHaveLength(1);
  });

  it('shows where a request spent its time, by stage, variant and replica', async () => {
    const { clock, tracer, pipeline, ends } = served(1);
    await clock.advanceTo(clock.nowMs() + 5);
    const both = [pipeline.submit({}, { traceParent: parent }), pipeline.submit({})];
    await clock.advanceTo(clock.nowMs() + 30);
    await Promise.all(both);
    const [second, first] = tracer.newest(10);
    const replica = (stageId: string) => ({
      stageId,
      variantId: 'v',
      replicaId: expect.stringMatching(`^${stageId}-`),
    });
    expect(first).toEqual({
      ...{
        traceId: parent.traceId,
        startedEpochMs: 1_000_005,
        latencyMs: 20,
        outcome: 'completed',
        cause: 'requested',
      },
      spans: [
        { ...replica('a'), kind: 'hop', startMs: 0, endMs: 9, batchSize: 1 },
        { ...replica('a'), kind: 'run', startMs: 9, endMs: 10, batchSize: 1 },
        { ...replica('b'), kind: 'hop', startMs: 10, endMs: 19, batchSize: 1 },
        { ...replica('b'), kind: 'run', startMs: 19, endMs: 20, batchSize: 1 },
      ],
    });
    expect(second).toMatchObject({ cause: 'sampled', latencyMs: 30, traceId: expect.stringMatching(/^[0-9a-f]{32}$/) });
    expect(second?.spans[0]).toEqual({ ...replica('a'), kind: 'queue', startMs: 0, endMs: 10, batchSize: 1 });
    expect(ends.map(({ keptTraceId }) => keptTraceId)).toEqual([first?.traceId, second?.traceId]);
    expect(tracer.newest(1)).toEqual([second]);
  });

  it('keeps failed and slow requests, whatever the fraction, and no others', async () => {
    const { clock, tracer, kept, pipeline } = served(0, { slo: { latencyMs: 25, percentile: 99 } });
    const all = [pipeline.submit({}), pipeline.submit(BAD as never), pipeline.submit({}, { timeoutMs: 1000 })];
    await clock.advanceTo(clock.nowMs() + 60);
    await Promise.all(all);
    const [slow, failed, ...others] = tracer.newest(10);
    expect(others).toEqual([]);
    expect(failed).toMatchObject({ outcome: 'failed', reason: 'INVALID_INPUT', cause: 'failed', latencyMs: 30 });
    expect(failed?.spans.at(-1)).toMatchObject({ stageId: 'b', kind: 'run', failed: true });
    expect(slow).toMatchObject({ outcome: 'completed', cause: 'slow', latencyMs: 40 });
    expect(kept.map(({ cause }) => cause)).toEqual(['failed', 'slow']);
    const slowest = tracer.slowest(10, clock.nowMs());
    expect(slowest.map(({ latencyMs }) => latencyMs)).toEqual([40, 30, 20]);
    expect(slowest[2]).not.toHaveProperty('cause');
  });

  it('keeps dropped requests, but none of clients that went away', async () => {
    const { clock, tracer, pipeline } = served(0);
    const leaving = new AbortController();
    const all = [
      pipeline.submit({}),
      pipeline.submit({}, { timeoutMs: 5 }),
      pipeline.submit({}, { signal: leaving.signal }),
    ];
    leaving.abort();
    await clock.advanceTo(clock.nowMs() + 60);
    await Promise.all(all);
    const [dropped, ...others] = tracer.newest(10);
    expect(others).toEqual([]);
    expect(dropped).toMatchObject({ outcome: 'dropped', reason: 'deadline-passed', latencyMs: 5, cause: 'failed' });
    expect(dropped?.spans).toEqual([{ stageId: 'a', kind: 'queue', startMs: 0, endMs: 5, failed: true }]);
  });

  it('gives the items of a client batch the trace of the call', async () => {
    const { clock, tracer, pipeline } = served(0);
    const batch = pipeline.submitBatch([{}, {}], { traceParent: parent });
    await clock.advanceTo(clock.nowMs() + 60);
    await batch;
    expect(tracer.newest(10).map(({ traceId }) => traceId)).toEqual([parent.traceId, parent.traceId]);
  });

  it('passes the trace on to replicas that are servers, sampled if a request of the batch is', async () => {
    const clock = new ManualClock();
    const tracer = tracerOf(0);
    const spec = servingSpec(['a', 'b']);
    const pipeline = new PipelineRunner({ spec, hostCores: Number.POSITIVE_INFINITY, clock, tracer });
    const sent: unknown[] = [];
    const answers = async (batch: readonly TensorMap[], headers: unknown): Promise<BatchResult> => {
      sent.push(headers);
      await clock.sleep(10);
      return { items: batch.map((output) => ({ kind: 'ok', output })), serviceMs: 9 };
    };
    const lost = { onLost: () => {}, close: async () => {} };
    serve(pipeline, 'a', { ...lost, passesTraces: true, run: answers });
    serve(pipeline, 'b', { ...lost, run: answers });
    pipeline.setBatching('a' as StageId, { maxBatchSize: 8, maxBatchWaitMs: 0 });
    const unsampled = { ...parent, isSampled: false, traceId: 'c'.repeat(32), state: 'x=1' };
    const all = [unsampled, unsampled, parent].map((traceParent) => pipeline.submit({}, { traceParent }));
    await clock.advanceTo(clock.nowMs() + 60);
    await Promise.all(all);
    expect(tracer.newest(9)).toHaveLength(1);
    expect(sent.filter((headers) => headers !== undefined)).toEqual([
      { traceparent: expect.stringMatching(/^00-c{32}-[0-9a-f]{16}-00$/), tracestate: 'x=1' },
      { traceparent: expect.stringMatching(/^00-a{32}-[0-9a-f]{16}-01$/) },
    ]);
  });

  it('forgets the requests of the warm-up', async () => {
    const { clock, tracer, pipeline } = served(1);
    const warm = pipeline.submit({});
    await clock.advanceTo(clock.nowMs() + 60);
    await warm;
    pipeline.countAnew();
    expect([tracer.newest(10), tracer.slowest(10, clock.nowMs())]).toEqual([[], []]);
  });
});

describe('the memory of a tracer', () => {
  const end = (latencyMs: number, endedAtMs: number): TracedEnd => ({
    ...{ kind: 'completed', latencyMs, endedAtMs, arrivedAtMs: endedAtMs - latencyMs },
  });

  it('is bounded, and keeps the slowest requests of each minute', () => {
    const tracer = tracerOf(1);
    for (let second = 0; second < 1200; second++)
      for (let i = 0; i < 10; i++)
        tracer.end(tracer.begin(undefined, 0), end(i * 100 + (second % 60), second * 1000), false);
    expect(tracer.newest(1000)).toHaveLength(200);
    const slowest = tracer.slowest(1000, 1_199_000);
    expect(slowest).toHaveLength(200);
    expect(slowest.slice(0, 3).map(({ latencyMs }) => latencyMs)).toEqual([959, 959, 959]);
    expect(Math.min(...slowest.map(({ latencyMs }) => latencyMs))).toBe(940);
    expect(tracer.slowest(1000, 1_800_000)).toEqual([]);
  });
});
