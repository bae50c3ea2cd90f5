/** Dropped requests, and requests refused at once. */
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { replicaId, stageId } from '../model/ids.js';
import { chainSpec } from '../model/spec-builders.test-support.js';
import { DeadlineQueue } from './deadline-queue.js';
import { Bench, edge, one, points } from './scheduler-bench.test-support.js';

const group = { ...chainSpec({ a: points, b: points, c: points }), outputs: [{ from: stageId('c') }] };
const fanOut = edge('a', 'b', { fanOut: { expected: 2 } });

describe('drops', () => {
  it('gives up alone what cannot make its deadline even if started now', () => {
    const bench = new Bench(one);
    const replica = bench.serve(0, { maxBatchSize: 2, serviceMs: 30, remainingMs: 20 });
    bench.arrive('a', 0, 1000);
    bench.arrive('late', 1, 90);
    bench.arrive('b', 2, 1000);
    bench.finish(replica, 45);
    expect(bench.log.slice(1)).toEqual(['45 done a>0', '45 drop late deadline-unreachable', '45 run 0 [b]']);
  });

  it('starts nothing at its deadline, even where nothing is known of the time that it takes', () => {
    const bench = new Bench(one);
    const replica = bench.serve(0, { maxBatchSize: 2 });
    bench.arrive('a', 0, 1000);
    bench.arrive('late', 1, 45);
    bench.arrive('b', 2, 46);
    bench.finish(replica, 45);
    expect(bench.log.slice(2)).toEqual(['45 drop late deadline-passed', '45 run 0 [b]']);
  });

  it('expects the time of the batch that is left after each drop', () => {
    const bench = new Bench(one);
    const replica = bench.serve(0, { maxBatchSize: 3 });
    const expectedServiceMs = [0, 10, 20, 30];
    bench.scheduler.setPolicy(0, { maxBatchSize: 3, maxBatchWaitMs: 0, remainingMs: 0, expectedServiceMs }, 0);
    bench.arrive('a', 0, 1000);
    for (const [name, deadlineAtMs] of [
      ['c', 121],
      ['b', 119],
      ['late', 118],
    ] as const)
      bench.arrive(name, 1, deadlineAtMs);
    bench.finish(replica, 100);
    expect(bench.log.slice(2)).toEqual([
      '100 drop late deadline-unreachable',
      '100 drop b deadline-unreachable',
      '100 run 0 [c]',
    ]);
  });

  it('answers a waiting request as soon as it can no longer make it, without a free replica', () => {
    const bench = new Bench(one);
    bench.serve(0, { serviceMs: 30 });
    bench.arrive('a', 0, 1000);
    bench.arrive('b', 0, 100);
    expect(bench.wakes.at(-1)).toBe(70);
    bench.scheduler.advance(70);
    expect(bench.log.at(-1)).toBe('70 drop b deadline-unreachable');
  });

  it('asks to be woken now, not in the past, for what was hopeless when it came', () => {
    const bench = new Bench(one);
    bench.serve(0, { serviceMs: 30 });
    bench.arrive('a', 0, 1000);
    bench.arrive('hopeless', 10, 15);
    expect(bench.wakes.at(-1)).toBe(10);
    bench.scheduler.advance(10);
    expect(bench.log.at(-1)).toBe('10 drop hopeless deadline-unreachable');
  });

  it('says when no replica was there at all', () => {
    const bench = new Bench(one);
    bench.arrive('a', 0, 100);
    bench.scheduler.advance(100);
    expect(bench.log).toEqual(['100 drop a no-ready-replica']);
  });

  it('counts no item of an ended request as company, as queue length or as a wait', () => {
    const spec = {
      ...chainSpec({ a: points, b: points, c: points }),
      edges: [edge('a', 'b', { fanOut: { expected: 7 } }), edge('b', 'c', { join: 'all' })],
    };
    const bench = new Bench(spec, { maxQueueLength: 8 });
    bench.fanOutCount = 7;
    const first = bench.serve(0);
    bench.serve(2);
    bench.scheduler.setPolicy(
      1,
      { maxBatchSize: 8, maxBatchWaitMs: 0, remainingMs: 0, expectedServiceMs: [0, 20, 30, 40, 50, 60, 70, 80, 90] },
      0,
    );
    const gone = bench.arrive('gone', 0, 1000);
    bench.finish(first, 1);
    expect(bench.scheduler.queueLength(1)).toBe(7);
    bench.scheduler.cancel(gone, 2);
    expect(bench.scheduler.queueLength(1)).toBe(0);
    bench.fanOutCount = 1;
    bench.arrive('live', 3, 63);
    bench.finish(first, 4);
    bench.scheduler.addReplica(1, { replicaId: replicaId('late'), cpuCores: 1 }, 10);
    expect(bench.log.at(-1)).toBe('10 run 1 [live>0#0]');
  });

  it('drops requests that are cancelled together in one pass over the queue, and none twice', () => {
    const bench = new Bench(one);
    const replica = bench.serve(0);
    const done = bench.arrive('done', 0);
    const gone = ['x', 'y', 'z'].map((name, index) => bench.arrive(name, 0, 900 - index));
    bench.arrive('stays', 0);
    bench.finish(replica, 10);
    const discard = vi.spyOn(DeadlineQueue.prototype, 'discard');
    onTestFinished(() => discard.mockRestore());
    bench.scheduler.cancelAll([done, ...gone], 'memory-full', 20);
    bench.scheduler.cancelAll(gone, 'memory-full', 21);
    expect(discard).toHaveBeenCalledTimes(1);
    expect([bench.scheduler.queueLength(0), bench.scheduler.inFlight]).toEqual([1, 1]);
    expect(bench.log.slice(2)).toEqual([
      ...['10 run 0 [z]', '20 drop x memory-full', '20 drop y memory-full', '20 drop z memory-full'],
    ]);
    bench.finish(replica, 30);
    expect(bench.log.at(-1)).toBe('30 run 0 [stays]');
  });

  it('waits for companions of a new item although an earlier one was cancelled while it waited', () => {
    const bench = new Bench(one);
    bench.serve(0, { maxBatchSize: 2, maxBatchWaitMs: 50 });
    const gone = bench.arrive('gone', 0);
    bench.scheduler.cancel(gone, 20);
    bench.scheduler.advance(50);
    bench.arrive('next', 500);
    expect(bench.log).toEqual(['20 drop gone cancelled']);
    expect(bench.wakes.at(-1)).toBe(550);
  });

  it('bounds the queue', () => {
    const bench = new Bench(one, { maxQueueLength: 1 });
    bench.serve(0);
    for (const name of ['a', 'b', 'c']) bench.arrive(name, 0);
    expect(bench.log).toEqual(['0 run 0 [a]', '0 drop c queue-full']);
  });

  it('notes at which stage a request was dropped', () => {
    const bench = new Bench(chainSpec({ a: points, b: points }));
    const replica = bench.serve(0);
    const [late, gone] = [bench.arrive('late', 0, 100), bench.arrive('gone', 0)];
    bench.finish(replica, 10);
    bench.scheduler.cancel(gone, 20);
    bench.scheduler.advance(100);
    expect([late.droppedAtStage, gone.droppedAtStage]).toEqual([1, undefined]);
  });

  it('ends a request once: the other items of a failed or cancelled one are ignored', () => {
    const spec = {
      ...chainSpec({ a: points, b: points, c: points }),
      edges: [edge('a', 'b', { fanOut: { expected: 2 } }), edge('b', 'c', { join: 'all' })],
    };
    const bench = new Bench(spec);
    const [first, second] = [bench.serve(0), bench.serve(1)];
    bench.serve(2);
    const request = bench.arrive('x', 0);
    bench.finish(first, 1);
    bench.scheduler.failRequest(request, 'boom', 2);
    bench.finish(second, 3);
    bench.scheduler.cancel(request, 4);
    expect(bench.log.slice(2)).toEqual(['2 fail x boom']);
    expect(bench.scheduler.inFlight).toBe(0);
  });

  it('refuses arrivals while draining and finishes what is inside', () => {
    const bench = new Bench(one);
    const replica = bench.serve(0);
    bench.arrive('a', 0);
    bench.scheduler.beginDraining();
    bench.arrive('b', 1);
    bench.finish(replica, 2);
    expect(bench.log.slice(1)).toEqual(['1 drop b draining', '2 done a>0']);
  });
});

describe('a fan-out of more items than may wait at a stage', () => {
  it.each([
    ['all of them are waited for', { join: 'all' }],
    ['a join would do without some', { join: 'all', onMissing: 'partial' }],
    ['a few would be enough', { join: { quorum: 1 } }],
  ] as const)('fails the request before an item is made, where %s', (_, join) => {
    const bench = new Bench({ ...group, edges: [fanOut, edge('b', 'c', join)] }, { maxQueueLength: 3 });
    const first = bench.serve(0);
    bench.serve(1);
    bench.fanOut = () => expect.unreachable('items are made');
    bench.fanOutCount = 4;
    bench.arrive('x', 0);
    bench.finish(first, 1);
    expect(bench.log).toEqual(['0 run 0 [x]', '1 fail x edge 0 gives 4 items of at most 3']);
    expect(bench.scheduler.inFlight).toBe(0);
    expect(bench.scheduler.edgeCounts.all[0]).toMatchObject({ fanOuts: 0, items: 0 });
  });

  it('serves as many as may wait, and goes by the bound of the moment', () => {
    const bench = new Bench({ ...group, edges: [fanOut, edge('b', 'c', { join: 'all' })] }, { maxQueueLength: 3 });
    const first = bench.serve(0);
    bench.fanOutCount = 3;
    bench.arrive('x', 0);
    bench.finish(first, 1);
    expect(bench.scheduler.queueLength(1)).toBe(3);
    bench.scheduler.setLimits({ maxQueueLength: 2, dropLate: true }, 2);
    bench.arrive('y', 2);
    bench.finish(first, 3);
    expect(bench.log.slice(2)).toEqual(['3 fail y edge 0 gives 3 items of at most 2']);
  });

  it('ends the request once, whatever else leaves the stage', () => {
    const skipped = edge('a', 'c', { when: { condition: 'never', probability: 0 } });
    const bench = new Bench({ ...group, edges: [fanOut, skipped] }, { maxQueueLength: 3 });
    const first = bench.serve(0);
    bench.fanOutCount = 4;
    bench.arrive('x', 0);
    bench.finish(first, 1);
    expect(bench.log.slice(1)).toEqual(['1 fail x edge 0 gives 4 items of at most 3']);
    expect(bench.scheduler.inFlight).toBe(0);
  });
});

describe('a bounded wait', () => {
  it('refuses at once who would wait longer than the part of its time that is allowed, in a standing queue', () => {
    const bench = new Bench(one, { maxWaitFraction: 0.5, priorityShares: [0, 0] });
    bench.serve(0, { serviceMs: 10 });
    for (const name of ['running', 'a']) bench.arrive(name, 0, 200, 1);
    for (const name of ['b', 'c']) bench.arrive(name, 100, 150, 1);
    bench.arrive('more time', 100, 200, 1);
    bench.arrive('urgent', 100, 160, 0);
    expect(bench.log).toEqual(['0 run 0 [running]', '100 drop c wait-too-long']);
    expect(bench.scheduler.predictedWaitMs()).toBe(45);
  });

  it('refuses of a burst only who would wait twice as long as there is time', () => {
    const bench = new Bench(one, { maxWaitFraction: 0.5 });
    bench.serve(0, { serviceMs: 10 });
    for (const name of ['running', 'a', 'b', 'c', 'd', 'e']) bench.arrive(name, 0, 30);
    // 40 ms are allowed, and the last would wait for 45 ms.
    expect(bench.log).toEqual(['0 run 0 [running]', '0 drop e wait-too-long']);
  });

  it('leaves a share of the time for later stages', () => {
    const bench = new Bench(one, { maxWaitFraction: 0.5 });
    bench.serve(0, { serviceMs: 10 });
    const policy = { maxBatchSize: 1, maxBatchWaitMs: 0, remainingMs: 0, expectedServiceMs: [0, 10] };
    bench.scheduler.setPolicy(0, { ...policy, waitShare: 0.5 }, 0);
    for (const name of ['running', 'a']) bench.arrive(name, 0, 200);
    bench.arrive('b', 100, 150);
    expect(bench.log).toEqual(['0 run 0 [running]', '100 drop b wait-too-long']);
  });

  it('counts no item ahead that starts at once, or in the same batch', () => {
    const limits = { maxWaitFraction: 0.5, maxQueueLength: 100 };
    const bench = new Bench({ ...group, edges: [fanOut, edge('b', 'c', { join: 'all' })] }, limits);
    const [first, second] = [bench.serve(0), bench.serve(1, { maxBatchSize: 4, serviceMs: 40 })];
    bench.fanOutCount = 4;
    bench.arrive('idle', 0, 100);
    bench.finish(first, 1);
    expect(second.batch).toHaveLength(4);
    bench.arrive('busy', 2, 100);
    bench.finish(first, 3);
    expect(bench.log.filter((line) => line.includes('drop'))).toEqual([]);
    // A second full batch would start after 20 + 40 ms, and 2 · (74 - 40 - 5 - 5) ms are allowed.
    bench.arrive('too late', 4, 74);
    bench.finish(first, 5);
    expect(bench.log.filter((line) => line.includes('drop'))).toEqual(['5 drop too late wait-too-long']);
  });

  it('takes running batches as large as they are', () => {
    const limits = { maxWaitFraction: 0.5 };
    const bench = new Bench(one, limits);
    bench.serve(0, { maxBatchSize: 2, serviceMs: 10 });
    const expectedServiceMs = [0, 10, 60];
    bench.scheduler.setPolicy(0, { maxBatchSize: 2, maxBatchWaitMs: 0, remainingMs: 0, expectedServiceMs }, 0);
    bench.arrive('running', 0, 100);
    for (const name of ['a', 'b', 'c']) bench.arrive(name, 0, 40);
    expect(bench.log).toEqual(['0 run 0 [running]', '0 drop c wait-too-long']);
  });

  it('never refuses where nothing waits, and nothing where nothing is expected', () => {
    const slow = new Bench(one, { maxWaitFraction: 0.5 });
    slow.serve(0, { serviceMs: 59 });
    for (const name of ['running', 'next']) slow.arrive(name, 0, 60);
    const unknown = new Bench(one, { maxWaitFraction: 0.5 });
    unknown.serve(0);
    for (let i = 0; i < 50; i++) unknown.arrive(`${i}`, 0, 60);
    expect([...slow.log, ...unknown.log].filter((line) => line.includes('drop'))).toEqual([]);
  });
});
