import { describe, expect, it } from 'vitest';
import { stageId } from '../model/ids.js';
import { chainSpec } from '../model/spec-builders.test-support.js';
import { Bench } from './scheduler-bench.test-support.js';

const points = [{ cpuCores: 1, batchSize: 1, meanMs: 1 }];
const one = chainSpec({ a: points });
const two = { ...chainSpec({ a: points, b: points }), edges: [{ from: stageId('a'), to: stageId('b') }] };

const drops = ({ log }: Bench): readonly string[] => log.filter((line) => line.includes('drop'));

describe('the answer margin', () => {
  it('gives a request up by so much earlier, when it waits and when it would start', () => {
    const bench = new Bench(one, { answerMarginMs: 7 });
    const replica = bench.serve(0, { serviceMs: 10 });
    bench.arrive('running', 0);
    bench.arrive('waits', 1, 100);
    bench.arrive('in time', 2, 127);
    expect(Math.min(...bench.wakes)).toBe(100 - 10 - 7);
    bench.scheduler.advance(83);
    bench.finish(replica, 110);
    bench.finish(replica, 120);
    bench.arrive('running too', 121, 300);
    bench.arrive('too late', 122, 149);
    bench.finish(replica, 133);
    expect(drops(bench)).toEqual(['83 drop waits deadline-unreachable', '133 drop too late deadline-unreachable']);
    expect(bench.log).toContain('110 run 0 [in time]');
  });

  it('counts what is completed inside it as completed', () => {
    const bench = new Bench(one, { answerMarginMs: 7 });
    const replica = bench.serve(0, { serviceMs: 10 });
    bench.arrive('slow', 0, 100);
    bench.finish(replica, 99);
    expect(bench.log.at(-1)).toBe('99 done slow>0');
  });

  it('is at most half of what a request has beyond the work at all stages', () => {
    const bench = new Bench(two, { answerMarginMs: 50 });
    bench.serve(0, { serviceMs: 10, remainingMs: 20 });
    bench.serve(1, { serviceMs: 20 });
    bench.arrive('half of ten', 0, 40);
    bench.arrive('no time for both', 0, 29);
    expect(bench.log[0]).toBe('0 run 0 [half of ten]');
    const next = bench.arrive('half of forty', 0, 70);
    expect(next.deadlineAtMs).toBe(50);
    expect(bench.arrive('all of it', 0, 1000).deadlineAtMs).toBe(950);
  });

  it('is that of the time when a request arrives', () => {
    const bench = new Bench(one);
    bench.serve(0);
    const before = bench.arrive('before', 0, 100);
    bench.scheduler.setLimits({ maxQueueLength: 100, dropLate: true, answerMarginMs: 5 }, 1);
    expect([before.deadlineAtMs, bench.arrive('after', 1, 100).deadlineAtMs]).toEqual([100, 95]);
  });
});

describe('other bounds while requests are inside', () => {
  const limits = { maxQueueLength: 100, dropLate: true };

  it('hold for who comes; what waits beyond them goes on waiting', () => {
    const bench = new Bench(one);
    const replica = bench.serve(0);
    for (const name of ['running', 'first', 'second']) bench.arrive(name, 0);
    bench.scheduler.setLimits({ ...limits, maxQueueLength: 1 }, 1);
    bench.arrive('third', 2);
    bench.finish(replica, 10);
    bench.finish(replica, 20);
    bench.arrive('fourth', 21);
    expect(drops(bench)).toEqual(['2 drop third queue-full']);
    expect(bench.log.at(-1)).toBe('20 run 0 [second]');
  });

  it('have priorities of their own: those that are gone go last', () => {
    const bench = new Bench(one, { priorityShares: [0, 0, 0] });
    const replica = bench.serve(0);
    bench.arrive('running', 0);
    bench.arrive('third level', 1, 500, 2);
    bench.scheduler.setLimits({ ...limits, priorityShares: [0] }, 2);
    bench.arrive('only level', 3, 900, 0);
    bench.scheduler.setLimits({ ...limits, priorityShares: [0, 0, 0, 0] }, 4);
    bench.arrive('fourth level', 5, 400, 3);
    for (const atMs of [10, 20, 30]) bench.finish(replica, atMs);
    expect(bench.log.filter((line) => line.includes(' run '))).toEqual([
      '0 run 0 [running]',
      '10 run 0 [only level]',
      '20 run 0 [third level]',
      '30 run 0 [fourth level]',
    ]);
  });
});

describe('patient items', () => {
  const HOUR_MS = 3_600_000;
  const patient = (bench: Bench, count: number, level = 0) => {
    for (let i = 0; i < count; i++) bench.arrive(`patient ${i}`, 0, HOUR_MS + i, level);
  };

  it('do not count for the wait of an item that goes before them', () => {
    const bench = new Bench(one, { maxWaitFraction: 0.8 });
    const replica = bench.serve(0, { serviceMs: 10 });
    patient(bench, 50);
    bench.arrive('first', 200, 300);
    bench.arrive('second', 200, 300);
    for (const nowMs of [201, 211]) bench.finish(replica, nowMs);
    expect(drops(bench)).toEqual([]);
    expect(bench.log.filter((line) => line.includes('run')).slice(1)).toEqual([
      '201 run 0 [first]',
      '211 run 0 [second]',
    ]);
  });

  it('count for items with as much time', () => {
    const bench = new Bench(one, { maxWaitFraction: 0.8 });
    bench.serve(0, { serviceMs: 10 });
    for (let i = 0; i < 19; i++) bench.arrive(`same ${i}`, 200, 300);
    // One runs and 18 wait, so the last would wait for 185 ms; 2 · 90 ms are allowed.
    bench.arrive('last', 200, 300);
    expect(drops(bench)).toEqual(['200 drop last wait-too-long']);
  });

  it('give their places in a full queue to others, the last of them first, and never to each other', () => {
    const bench = new Bench(one, { maxQueueLength: 3 });
    bench.serve(0);
    patient(bench, 5);
    bench.arrive('one', 1, 500);
    bench.arrive('two', 1, 500);
    expect(drops(bench)).toEqual([
      '0 drop patient 4 queue-full',
      '1 drop patient 3 queue-full',
      '1 drop patient 2 queue-full',
    ]);
    bench.arrive('three', 2, 500);
    bench.arrive('four', 2, 500);
    expect(drops(bench).slice(3)).toEqual(['2 drop patient 1 queue-full', '2 drop four queue-full']);
  });

  it('let requests that arrive together in', () => {
    const bench = new Bench(one, { maxQueueLength: 3, maxWaitFraction: 0.8 });
    bench.serve(0, { serviceMs: 10 });
    patient(bench, 4);
    const arrival = { context: 'batch', arrivedAtMs: 1, deadlineAtMs: 500 };
    expect(bench.scheduler.refusal(3, arrival)).toBeUndefined();
    expect(bench.scheduler.refusal(4, arrival)).toBe('queue-full');
    expect(bench.scheduler.refusal(1, { ...arrival, deadlineAtMs: HOUR_MS })).toBe('queue-full');
  });
});
