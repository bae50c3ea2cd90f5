import { ArrivalRecord, SeededRng } from '@equipoise/core/model';
import { gammaArrivals } from '@equipoise/core/simulate';
import { describe, expect, it } from 'vitest';
import { RequestStatistics } from './request-statistics.js';

const start = 5_250;

function completed(statistics: RequestStatistics, endedAtMs: number, latencyMs: number): void {
  statistics.ended({ kind: 'completed', arrivedAtMs: endedAtMs - latencyMs, endedAtMs, leftMs: 1000, latencyMs });
}

describe('RequestStatistics', () => {
  it('counts arrivals by whole seconds from its start and leaves the running second out', () => {
    const statistics = new RequestStatistics(start, 400);
    for (const afterMs of [0, 999, 1000, 3500]) statistics.arrived(start + afterMs);
    expect(statistics.arrivalsPerSecond(start + 500)).toEqual([]);
    expect(statistics.arrivalsPerSecond(start + 1000)).toEqual([2]);
    expect(statistics.arrivalsPerSecond(start + 3999)).toEqual([2, 1, 0]);
    expect(statistics.arrivalsPerSecond(start + 5000)).toEqual([2, 1, 0, 1, 0]);
  });

  it('has refusals before the start in its totals and in no second, and keeps them when it counts again', () => {
    const before = new RequestStatistics(start, 400);
    before.refusedEarly('no-ready-replica', 3);
    before.refusedEarly('draining');
    before.arrived(start + 1);
    completed(before, start + 20, 19);
    const statistics = new RequestStatistics(start, 400);
    statistics.keepRefused(before);
    expect(statistics.total).toMatchObject({
      arrived: 4,
      completed: 0,
      dropped: { 'no-ready-replica': 3, draining: 1 },
    });
    expect(statistics.arrivalsPerSecond(start + 1000)).toEqual([0]);
    expect(statistics.recentSeconds(start + 1000, 10)).toMatchObject([
      { arrived: 0, dropped: { 'no-ready-replica': 0 } },
    ]);
  });

  it('sums the latencies of completed and of other requests, and knows the latest arrival', () => {
    const statistics = new RequestStatistics(start, 400);
    expect(statistics.latestArrivalAtMs).toBeUndefined();
    for (const afterMs of [5, 9]) statistics.arrived(start + afterMs);
    for (const latencyMs of [10, 20]) completed(statistics, start + 50, latencyMs);
    statistics.ended({
      kind: 'dropped',
      reason: 'queue-full',
      arrivedAtMs: start,
      endedAtMs: start + 7,
      leftMs: 1000,
      latencyMs: 7,
    });
    expect(statistics.latestArrivalAtMs).toBe(start + 9);
    expect(statistics.latencySums).toEqual({ completedMs: 30, lostMs: 7 });
  });

  it('keeps the last 600 seconds and no more, in memory that is used again', () => {
    const statistics = new RequestStatistics(start, 400);
    for (let second = 0; second < 1500; second++) {
      for (let i = 0; i <= second % 7; i++) statistics.arrived(start + 1000 * second);
    }
    const kept = statistics.arrivalsPerSecond(start + 1_500_000);
    expect(kept).toEqual(Array.from({ length: 600 }, (_, i) => ((900 + i) % 7) + 1));
    expect(statistics.arrivalsPerSecond(start + 3_000_000)).toEqual(new Array(600).fill(0));
  });

  it('tells the load as a simulation does: counts of seconds, and burstiness once it is known', () => {
    const statistics = new RequestStatistics(start, 500);
    const record = new ArrivalRecord(start, 500);
    const arrivals = gammaArrivals({ arrivalRps: 50, durationS: 300, cv: 2 }, new SeededRng(1));
    expect(statistics.load(start)).toEqual({ arrivalsPerSecond: [], latest: [] });
    for (let atMs = arrivals.nextAtMs(); atMs !== undefined; atMs = arrivals.nextAtMs()) {
      statistics.arrived(start + atMs);
      record.arrived(start + atMs);
    }
    const { arrivalsPerSecond, burstiness } = statistics.load(start + 300_000);
    expect(arrivalsPerSecond).toEqual(record.arrivalsPerSecond(start + 300_000));
    expect(burstiness).toEqual(record.burstiness(start + 300_000));
    expect(burstiness?.dispersionAtSlo).toBeGreaterThan(3);
  });

  it('counts each end in its second, with the ones within the SLO', () => {
    const statistics = new RequestStatistics(start, 400);
    completed(statistics, start + 100, 400);
    completed(statistics, start + 1100, 400.1);
    const end = { arrivedAtMs: start, endedAtMs: start + 1200, leftMs: 1000, latencyMs: 1200 };
    statistics.ended({ ...end, kind: 'dropped', reason: 'queue-full' });
    statistics.ended({ ...end, kind: 'failed', code: 'STAGE_FAILED', mayComeOfPlan: true });
    const none = {
      'queue-full': 0,
      'wait-too-long': 0,
      'memory-full': 0,
      'deadline-unreachable': 0,
      'deadline-passed': 0,
      'no-ready-replica': 0,
      draining: 0,
      cancelled: 0,
    };
    expect(statistics.recentSeconds(start + 2000, 10)).toEqual([
      { second: 0, arrived: 0, completed: 1, withinSlo: 1, failed: 0, dropped: none },
      { second: 1, arrived: 0, completed: 1, withinSlo: 0, failed: 1, dropped: { ...none, 'queue-full': 1 } },
    ]);
    expect(statistics.recentSeconds(start + 2000, 1).map(({ second }) => second)).toEqual([1]);
    expect(statistics.total).toMatchObject({ completed: 2, withinSlo: 1, failed: 1, dropped: { 'queue-full': 1 } });
  });

  it('counts apart what fails by what the plan may have caused', () => {
    const statistics = new RequestStatistics(start, 400);
    const end = { arrivedAtMs: start, endedAtMs: start + 10, leftMs: 1000, latencyMs: 10, kind: 'failed' } as const;
    statistics.ended({ ...end, code: 'TENSOR_MISMATCH', mayComeOfPlan: false });
    statistics.ended({ ...end, code: 'INVALID_INPUT', mayComeOfPlan: true });
    statistics.ended({ ...end, code: 'REPLICA_LOST', mayComeOfPlan: true });
    expect([statistics.total.failed, statistics.failedHere]).toEqual([3, 2]);
  });

  it('has the latencies of the last seconds, the running one included, for a minute', () => {
    const statistics = new RequestStatistics(start, 400);
    completed(statistics, start + 500, 10);
    completed(statistics, start + 1500, 20);
    completed(statistics, start + 2500, 30);
    expect(statistics.recentLatencies(start + 2900, 2).meanMs).toBe(25);
    expect(statistics.recentLatencies(start + 2900, 60).count).toBe(3);
    expect(statistics.recentLatencies(start + 61_900, 60).count).toBe(1);
    completed(statistics, start + 62_500, 40);
    expect(statistics.recentLatencies(start + 62_900, 60).meanMs).toBe(40);
    expect(() => statistics.recentLatencies(start, 61)).toThrow(/60 s/);
  });
});
