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
