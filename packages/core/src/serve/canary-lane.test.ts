import { describe, expect, it } from 'vitest';
import { replicaId } from '../model/ids.js';
import { chainSpec } from '../model/spec-builders.test-support.js';
import { CanaryLane } from './canary-lane.js';
import type { CanaryProfile } from './rollout/slowness.js';
import { Bench, one, points, type Replica } from './scheduler-bench.test-support.js';

const policy = { maxBatchSize: 4, maxBatchWaitMs: 0, remainingMs: 0, expectedServiceMs: [0, 10, 10, 10, 10] };

/** Main replica and canary replica of one stage. The canary gets a fraction of the requests. */
function opened(fraction: number, { profile = undefined as CanaryProfile | undefined, spec = one } = {}) {
  const bench = new Bench(spec);
  const main = bench.serve(0, { serviceMs: 10, maxBatchSize: 4 });
  bench.scheduler.openCanary(0, { ...policy, ...(profile && { profile }) });
  const canary = bench.scheduler.addReplica(0, { replicaId: replicaId('new'), cpuCores: 1, inCanary: true }, 0);
  bench.scheduler.setCanaryFraction(fraction);
  const counts = () => bench.scheduler.canaryCounts;
  return { bench, main, canary, counts };
}

const finish = (bench: Bench, replicas: readonly Replica[], nowMs: number) => {
  for (const replica of replicas) if (replica.busy) bench.finish(replica, nowMs);
};

/** Sends requests one by one. Returns the number that ran in the canary. */
function sendOneByOne({ bench, main, canary }: ReturnType<typeof opened>, count: number): number {
  let taken = 0;
  for (let i = 0; i < count; i++) {
    bench.arrive(`r${i}`, 20 * i);
    taken += Number(canary.busy);
    finish(bench, [main, canary], 20 * i + 10);
  }
  return taken;
}

describe('CanaryLane', () => {
  it.each([0, 0.1, 0.5, 1])('gets a fraction of %d of the requests, evenly', (fraction) => {
    expect(sendOneByOne(opened(fraction), 200)).toBeCloseTo(200 * fraction, -0.5);
    expect(sendOneByOne(opened(fraction), 40)).toBeCloseTo(40 * fraction, -0.5);
  });

  it('counts outcomes of both sides from the first fraction on', () => {
    const lanes = opened(0);
    sendOneByOne(lanes, 10);
    expect(lanes.counts()).toEqual({
      before: { ended: 0, missed: 0, failed: 0 },
      after: { ended: 0, missed: 0, failed: 0 },
    });
    lanes.bench.scheduler.setCanaryFraction(0.5);
    const taken = sendOneByOne(lanes, 100);
    expect(lanes.counts()?.after).toEqual({ ended: taken, missed: 0, failed: 0 });
    expect(lanes.counts()?.before.ended).toBe(100 - taken);
  });

  it('leaves requests to the main lane while it has no replica, or would make them wait longer', () => {
    const { bench, canary, main } = opened(1);
    bench.scheduler.drainReplica(canary);
    bench.arrive('x', 0);
    expect(main.busy).toBe(true);
    const busy = opened(1);
    busy.bench.arrive('x', 0);
    busy.bench.arrive('y', 0);
    expect([busy.canary.busy, busy.main.busy]).toEqual([true, true]);
  });

  it('counts a batch once, however many of its items miss', () => {
    const { bench, main, canary, counts } = opened(1);
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) bench.arrive(name, 0, 22);
    finish(bench, [main, canary], 10);
    expect(canary.batch).toHaveLength(2);
    finish(bench, [main, canary], 25);
    expect(counts()?.after).toEqual({ ended: 2, missed: 1, failed: 0 });
  });

  it('counts a failed item against the canary although its retry succeeds, unless that fails, too', () => {
    const run = (retryFails: boolean) => {
      const { bench, main, canary, counts } = opened(1);
      bench.arrive('x', 0);
      const [item] = canary.batch;
      if (item === undefined) throw new Error('the canary has it');
      bench.scheduler.failItem(item, 'broken', 5);
      finish(bench, [canary], 5);
      const [retried] = main.batch;
      if (retried === undefined) throw new Error('the main lane has it');
      if (retryFails) bench.scheduler.failItem(retried, 'broken', 9);
      finish(bench, [main], 10);
      return counts()?.after;
    };
    expect(run(false)).toEqual({ ended: 1, missed: 1, failed: 1 });
    expect(run(true)).toEqual({ ended: 0, missed: 0, failed: 0 });
  });

  it('counts one failed batch once, also if a request has items in another one', () => {
    const scheduler = { replicas: [{}], waitMs: () => 0 };
    const lane = new CanaryLane<unknown, unknown>(0, { main: scheduler, canary: scheduler } as never);
    lane.fraction = 1;
    const [a, both, b] = [{}, {}, {}] as never[];
    for (const request of [a, both, b]) lane.takes(request as never, 0);
    const replicaWith = (...requests: unknown[]) => ({ batch: requests.map((request) => ({ request })) }) as never;
    const [failing, good] = [replicaWith(a, both), replicaWith(both, b)];
    lane.batchStarted(failing, 0);
    lane.batchStarted(good, 0);
    for (const item of (failing as { batch: never[] }).batch) lane.itemFailed(item, true);
    lane.batchFailed(failing);
    lane.batchEnded(good, 5);
    for (const request of [b, a, both]) lane.ended(request as never, 'in-time');
    expect(lane.after).toEqual({ ended: 2, missed: 1, failed: 1 });
  });

  it('counts a batch as failed if one of its items fails alone', () => {
    const { bench, main, canary, counts } = opened(1);
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) bench.arrive(name, 0);
    finish(bench, [main, canary], 10);
    const before = counts()?.after;
    const item = canary.batch.at(-1);
    if (item === undefined || canary.batch.length === 1) throw new Error('the canary has several items');
    bench.scheduler.failItem(item, 'broken', 20);
    finish(bench, [canary], 20);
    finish(bench, [main], 20);
    finish(bench, [main], 30);
    expect(counts()?.after).toEqual({ ended: 1 + (before?.ended ?? 0), missed: 1, failed: 1 });
  });

  it('does not count a request that its client cancels', () => {
    const { bench, canary, counts } = opened(1);
    bench.scheduler.cancel(bench.arrive('x', 0), 1);
    finish(bench, [canary], 10);
    expect(counts()?.after.ended).toBe(0);
  });

  it('joins the main lane with its items and replicas when it is closed', () => {
    const { bench, main, canary, counts } = opened(1);
    for (let i = 0; i < 6; i++) bench.arrive(`r${i}`, 0);
    bench.scheduler.closeCanary(1);
    expect([counts(), canary.inCanary, bench.scheduler.queueLength(0)]).toEqual([undefined, false, 4]);
    finish(bench, [main, canary], 10);
    finish(bench, [main, canary], 20);
    expect(bench.log.filter((line) => line.includes('done')).length).toBe(6);
  });

  it('opens at a later stage, where only requests count that reach it', () => {
    const lanes = opened(1, { spec: chainSpec({ a: points, b: points }) });
    lanes.bench.arrive('x', 0);
    finish(lanes.bench, [lanes.canary], 10);
    expect(lanes.counts()?.after.ended).toBe(0);
  });
});

describe('service times of a canary', () => {
  const noted: [number, number][] = [];
  const rates: number[] = [];
  const profile: CanaryProfile = {
    meanMs: () => 10,
    fractionBelow: (batchSize, ms) => {
      // 1.1 is the first ratio of the grid.
      if (Math.abs(ms * 1.1 - 30) < 1e-9) noted.push([batchSize, 30]);
      return 1;
    },
    carries: (_, rate) => {
      rates.push(rate);
      return false;
    },
  };

  it('are those of batches that did not fail, and the load is that of both lanes', () => {
    const lanes = opened(0.5, { profile });
    let taken = 0;
    for (let i = 0; i < 101; i++) {
      lanes.bench.arrive(`r${i}`, 50 * i);
      taken += Number(lanes.canary.busy);
      finish(lanes.bench, [lanes.main, lanes.canary], 50 * i + 30);
    }
    expect(noted.length).toBe(taken);
    const { slowness } = lanes.counts() ?? {};
    expect(slowness?.measured).toBeCloseTo(3);
    // 20 per second, minus two standard errors of 100 arrivals.
    expect(slowness?.itemsPerSecond).toBeCloseTo(16);
    expect(new Set(rates).size).toBe(1);

    noted.length = 0;
    lanes.bench.scheduler.setCanaryFraction(1);
    while (!lanes.canary.busy) lanes.bench.arrive('late', 6_000);
    lanes.bench.scheduler.failBatch(lanes.canary, new Map(), 'failed', 6_030);
    finish(lanes.bench, [lanes.main, lanes.canary], 6_030);
    expect(noted).toEqual([]);
  });

  it('are tested at the mean load: items that come at once show no rate', () => {
    const lanes = opened(1, { profile });
    const burst = (atMs: number) => {
      for (let i = 0; i < 12; i++) lanes.bench.arrive(`r${i} at ${atMs}`, atMs);
      for (let i = 1; i <= 12; i++) finish(lanes.bench, [lanes.main, lanes.canary], atMs + 30 * i);
    };
    burst(0);
    expect(lanes.counts()?.slowness?.itemsPerSecond).toBe(0);
    for (let i = 1; i <= 100; i++) burst(1000 * i);
    // 12 per second, minus two standard errors of 100 bursts.
    expect(lanes.counts()?.slowness?.itemsPerSecond).toBeCloseTo(9.6);
  });
});
