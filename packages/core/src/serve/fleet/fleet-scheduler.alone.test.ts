import { describe, expect, it } from 'vitest';
import { variantId } from '../../model/ids.js';
import type { RunningReplica } from '../../model/running-plan.js';
import { changeTo, FleetBench, planFor, stageB } from './fleet-bench.test-support.js';

type Limits = ConstructorParameters<typeof FleetBench>[0];

describe('FleetScheduler, a stage on its own', () => {
  /** Bench on which replicas of a variant fail to start, beginning with the `from`th. */
  function failingFrom(from: number, failing: string, limits: Limits = {}) {
    const bench = new FleetBench(limits);
    const start = bench.start.bind(bench);
    let starts = 0;
    bench.start = (stage, replica) => {
      const fails = replica.variantId === failing && ++starts >= from;
      start(stage, fails ? { ...replica, variantId: variantId('broken') } : replica);
    };
    bench.applied(changeTo(planFor('s', 2)));
    bench.applied(changeTo(planFor('s', 1), stageB));
    return bench;
  }
  const restarts = (bench: FleetBench) => bench.events.filter(([, , what]) => what === 'restart-failed').length;

  it('keeps what a growth that gave way has brought into service, where the plan that follows fails', () => {
    const bench = new FleetBench({ startConcurrency: 1 });
    bench.applied(changeTo(planFor('s', 2)));
    bench.apply(changeTo(planFor('s', 6)));
    bench.advanceTo(bench.nowMs + 35);
    bench.fleet.preempt(bench.nowMs);
    expect(bench.having('ready')).toHaveLength(5);
    expect(bench.applied(changeTo(planFor('broken', 8))).kind).toBe('failed');
    expect(bench.shown()).toEqual(Array(5).fill('s:ready'));
  });

  it('turns back from another kind, too, if its only replica was lost before the change', () => {
    const bench = new FleetBench();
    bench.applied(changeTo(planFor('s', 1)));
    bench.lose();
    bench.apply(changeTo(planFor('broken', 2)));
    bench.advanceTo(bench.nowMs + 5);
    bench.fleet.preempt(bench.nowMs);
    bench.advanceTo(bench.nowMs + 10_000);
    expect(bench.shown()).toEqual(['s:ready']);
  });

  it('turns back where another stage takes its headroom, so that what it loses then comes back', () => {
    const bench = new FleetBench({ budgetCpuCores: 4, surgeCpuCores: 0 }, { drainMs: () => 500 });
    bench.applied(changeTo(planFor('s', 2)));
    bench.applied(changeTo(planFor('s', 2), stageB));
    bench.apply(changeTo(planFor('broken', 1)));
    bench.fleet.preempt(bench.nowMs);
    expect(bench.applied(changeTo(planFor('s', 3), stageB))).toEqual({ kind: 'done' });
    bench.advanceTo(bench.nowMs + 1_000);
    expect(bench.shown()).toEqual(['s:ready']);
    bench.lose();
    bench.advanceTo(bench.nowMs + 10_000);
    expect(bench.shown()).toEqual(['s:ready']);
  });

  it('turns back, too, where a start fails that began behind the change that gave way', () => {
    const bench = failingFrom(3, 'l', { budgetCpuCores: 6, surgeCpuCores: 2 });
    bench.applied(changeTo(planFor('s', 4)));
    bench.apply(changeTo(planFor('l', 4)));
    bench.advanceTo(bench.nowMs + 5);
    bench.fleet.preempt(bench.nowMs);
    bench.advanceTo(bench.nowMs + 60_000);
    expect([bench.shown(), restarts(bench)]).toEqual([Array(4).fill('s:ready'), 1]);
  });

  it('turns back where not everything has started in the time of a change', () => {
    const bench = new FleetBench({ maxSurgeMs: 1000 }, { startMs: ({ variantId: id }) => (id === 'l' ? 5000 : 10) });
    bench.applied(changeTo(planFor('s', 2)));
    const begunMs = bench.nowMs;
    bench.apply(changeTo(planFor('l', 2)));
    bench.advanceTo(begunMs + 5);
    bench.fleet.preempt(bench.nowMs);
    bench.advanceTo(begunMs + 999);
    expect(bench.shown().slice(-1)).toEqual(['l:starting']);
    bench.advanceTo(begunMs + 1000);
    expect(bench.shown().slice(-1)).toEqual(['l:draining']);
    bench.advanceTo(begunMs + 60_000);
    expect(bench.shown()).toEqual(Array(2).fill('s:ready'));
  });

  it('starts nothing in the room of the change that follows', () => {
    const bench = failingFrom(9, 'l', { budgetCpuCores: 5, surgeCpuCores: 1, startConcurrency: 1 });
    bench.apply(changeTo(planFor('l', 2)));
    bench.advanceTo(bench.nowMs + 5);
    bench.fleet.preempt(bench.nowMs);
    const answered = bench.apply(changeTo(planFor('s', 3), stageB));
    bench.advanceTo(bench.nowMs + 25);
    expect([answered, bench.having('ready', stageB).length]).toEqual([[{ kind: 'done' }], 3]);
    expect(bench.having('starting').length).toBe(1);
  });

  it('is waited for while it turns back, and where the change that failed gave way in the middle of that', () => {
    const startMs = ({ variantId: id, replicaId: of }: RunningReplica) =>
      id === 's' ? 10 : of.endsWith('-3') ? 20 : 5000;
    const bench = new FleetBench({ budgetCpuCores: 6, surgeCpuCores: 1 }, { startMs });
    const start = bench.start.bind(bench);
    bench.start = (stage, replica) =>
      start(stage, replica.replicaId.endsWith('-l-3') ? { ...replica, variantId: variantId('broken') } : replica);
    bench.applied(changeTo(planFor('s', 2)));
    bench.applied(changeTo(planFor('s', 2), stageB));
    const failed = bench.apply(changeTo(planFor('l', 2, 1.5)));
    bench.advanceTo(bench.nowMs + 30);
    expect([failed, bench.shown()]).toEqual([[], ['s:ready', 's:ready', 'l:draining']]);
    bench.fleet.preempt(bench.nowMs);
    expect(failed).toMatchObject([{ kind: 'failed' }]);
    expect(bench.applied(changeTo(planFor('s', 4), stageB))).toEqual({ kind: 'done' });
    expect(bench.shown()).toEqual(Array(2).fill('s:ready'));
  });

  it('gives each of the kinds that it has left way for its own share of the next plan', () => {
    const bench = new FleetBench({ startConcurrency: 1 });
    const ready = (variant: string) => bench.having('ready').filter(({ variantId: id }) => id === variant).length;
    bench.applied(changeTo(planFor('s', 4)));
    bench.apply(changeTo(planFor('l', 4)));
    while (ready('l') < 2) bench.advance();
    bench.fleet.preempt(bench.nowMs);
    const ends = bench.apply(changeTo(planFor('m', 4)));
    expect([ready('s'), ready('l')]).toEqual([2, 2]);
    while (ready('m') < 2) bench.advance();
    expect([ready('s'), ready('l')]).toEqual([1, 1]);
    bench.advanceTo(bench.nowMs + 1000);
    expect([ends, bench.shown()]).toEqual([[{ kind: 'done' }], Array(4).fill('m:ready')]);
  });
});
