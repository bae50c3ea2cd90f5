import { describe, expect, it } from 'vitest';
import { chainSpec } from '../../model/spec-builders.test-support.js';
import { Bench, edge, one, points } from '../scheduler-bench.test-support.js';
import { type RequestSpan, RequestTrace } from './request-trace.js';

const spansOf = (trace: RequestTrace, endedAtMs: number) => trace.spans(endedAtMs).map(text);

const text = ({ kind, stage, startMs, endMs, isFailed }: RequestSpan) =>
  `${kind} ${stage} ${startMs}-${endMs}${isFailed ? ' failed' : ''}`;

function arrive(bench: Bench, name: string, atMs: number, deadlineAtMs = atMs + 1000): RequestTrace {
  const trace = new RequestTrace();
  bench.scheduler.arrive({ context: name, arrivedAtMs: atMs, deadlineAtMs, trace }, name);
  return trace;
}

describe('the trace of a request', () => {
  it('has the wait in the queue and the run', () => {
    const bench = new Bench(one);
    const replica = bench.serve(0);
    const first = arrive(bench, 'a', 10);
    const second = arrive(bench, 'b', 12);
    bench.finish(replica, 20);
    bench.finish(replica, 30);
    expect(spansOf(first, 20)).toEqual(['run 0 10-20']);
    expect(spansOf(second, 30)).toEqual(['queue 0 12-20', 'run 0 20-30']);
  });

  it('tells the wait for a fuller batch from the wait for a replica', () => {
    const bench = new Bench(one);
    const replica = bench.serve(0, { maxBatchSize: 2, maxBatchWaitMs: 100 });
    const first = arrive(bench, 'a', 10);
    const second = arrive(bench, 'b', 15);
    bench.finish(replica, 40);
    expect(spansOf(first, 40)).toEqual(['batch 0 10-15', 'run 0 15-40']);
    expect(spansOf(second, 40)).toEqual(['run 0 15-40']);
    const third = arrive(bench, 'c', 50);
    bench.scheduler.advance(150);
    const fourth = arrive(bench, 'd', 160);
    bench.finish(replica, 200);
    bench.scheduler.advance(260);
    bench.finish(replica, 270);
    expect(spansOf(third, 200)).toEqual(['batch 0 50-150', 'run 0 150-200']);
    expect(spansOf(fourth, 270)).toEqual(['queue 0 160-200', 'batch 0 200-260', 'run 0 260-270']);
  });

  it('shares the batch with the other requests of the batch', () => {
    const bench = new Bench(one);
    const replica = bench.serve(0, { maxBatchSize: 4 });
    bench.arrive('untraced', 0);
    const traces = [arrive(bench, 'a', 1), arrive(bench, 'b', 2)];
    bench.arrive('also untraced', 3);
    bench.finish(replica, 10);
    const [first, second] = traces.map((trace) => trace.runs);
    expect(first).toEqual(second);
    expect(first?.[0]).toBe(second?.[0]);
    expect(first?.[0]).toMatchObject({ size: 3, replicaId: 'r0', startedAtMs: 10 });
    expect(first?.[0]?.endedAtMs).toBeNaN();
    bench.finish(replica, 14);
    expect(first?.[0]?.endedAtMs).toBe(14);
  });

  it('has a hop if the driver knows the time inside the replica', () => {
    const bench = new Bench(one);
    const replica = bench.serve(0);
    const trace = arrive(bench, 'a', 0);
    const [run] = trace.runs;
    if (run !== undefined) run.serviceMs = 6;
    bench.finish(replica, 10);
    expect(spansOf(trace, 10)).toEqual(['hop 0 0-4', 'run 0 4-10']);
  });

  it('ends in the queue for a dropped request', () => {
    const bench = new Bench(one);
    bench.serve(0);
    arrive(bench, 'a', 0);
    const late = arrive(bench, 'b', 0, 20);
    bench.scheduler.advance(20);
    expect(spansOf(late, 20)).toEqual(['queue 0 0-20 failed']);
  });

  it('marks the item that failed', () => {
    const bench = new Bench(one);
    const replica = bench.serve(0);
    const trace = arrive(bench, 'a', 0);
    const [item] = replica.batch;
    if (item !== undefined) bench.scheduler.failItem(item, 'broken', 7);
    expect(spansOf(trace, 7)).toEqual(['run 0 0-7 failed']);
  });

  it('has the items of a fan-out, up to a bound', () => {
    const spec = chainSpec({ a: points, b: points });
    const bench = new Bench({ ...spec, edges: [edge('a', 'b', { fanOut: { expected: 3 } })] });
    bench.fanOutCount = 80;
    const [a, b] = [bench.serve(0), bench.serve(1, { maxBatchSize: 1 })];
    const trace = arrive(bench, 'a', 0);
    bench.finish(a, 1);
    for (let ms = 2; ms < 82; ms++) bench.finish(b, ms);
    expect(trace.runs).toHaveLength(64);
    expect(trace.omitted).toBe(17);
    expect(spansOf(trace, 82).slice(0, 4)).toEqual(['run 0 0-1', 'run 1 1-2', 'queue 1 1-2', 'run 1 2-3']);
  });
});
