import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StageId } from '../../model/ids.js';
import type { StagePlan } from '../../model/plan.js';
import { isOfKind } from '../../model/running-plan.js';
import { changeTo, FleetBench, planFor, stageA, stageB } from './fleet-bench.test-support.js';

const coresIn = (bench: FleetBench): number =>
  [stageA, stageB]
    .flatMap((stage) => bench.fleet.runningPlan().stages[stage]?.replicas ?? [])
    .filter(({ status }) => status !== 'failed')
    .reduce((sum, { resources }) => sum + resources.cpuCores, 0);

/** Maximum cores held at a time while the bench changes to `to`. */
function mostCoresDuring(bench: FleetBench, to: StagePlan): number {
  let most = coresIn(bench);
  bench.onEvent = () => {
    most = Math.max(most, coresIn(bench));
  };
  expect(bench.applied(changeTo(to))).toEqual({ kind: 'done' });
  return most;
}

type BenchSettings = ConstructorParameters<typeof FleetBench>;

function benchWith(plan: StagePlan, limits: BenchSettings[0] = {}, times: BenchSettings[1] = {}): FleetBench {
  const bench = new FleetBench(limits, times);
  bench.applied(changeTo(plan));
  bench.events.length = 0;
  return bench;
}

describe('FleetScheduler, a change', () => {
  it('without a budget starts two at a time, and drains as capacity is replaced', () => {
    const bench = benchWith(planFor('small', 4));
    bench.applied(changeTo(planFor('large', 2, 1, 8)));
    expect(bench.events.map(([atMs, , what, subject]) => [atMs - 20, what, subject])).toEqual([
      [0, 'start', 'a-large-5'],
      [0, 'start', 'a-large-6'],
      [10, 'serve', 'a-large-5'],
      [10, 'adopt', 'large/8'],
      [10, 'drain', 'a-small-1'],
      [10, 'drain', 'a-small-2'],
      [10, 'serve', 'a-large-6'],
      [10, 'drain', 'a-small-3'],
      [10, 'drain', 'a-small-4'],
    ]);
  });

  it.each<[string, StagePlan, StagePlan, number, number | undefined, number]>([
    [
      'rolls with the default surge, one replica of the largest kind',
      planFor('s', 4),
      planFor('l', 4),
      4,
      undefined,
      5,
    ],
    ['takes the larger new kind for the default', planFor('s', 4), planFor('l', 2, 2), 4, undefined, 6],
    ['takes the larger old kind for the default', planFor('s', 2, 2), planFor('l', 4), 4, undefined, 6],
    ['never above the budget with surge 0 and room inside it', planFor('s', 3), planFor('l', 3), 4, 0, 4],
    ['drains first with surge 0 where the smaller plan lets it', planFor('s', 4), planFor('l', 3), 4, 0, 4],
    ['uses a large surge', planFor('s', 4), planFor('l', 4), 4, 8, 8],
  ])('%s', (_, from, to, budgetCpuCores, surgeCpuCores, most) => {
    const bench = benchWith(from, { budgetCpuCores, ...(surgeCpuCores === undefined ? {} : { surgeCpuCores }) });
    expect(mostCoresDuring(bench, to)).toBe(most);
    expect(bench.shown()).toEqual(Array(to.replicas).fill(`${to.variantId}:ready`));
  });

  it('is refused, with nothing touched, where there is no room and none may be made', () => {
    const bench = benchWith(planFor('s', 4), { budgetCpuCores: 4, surgeCpuCores: 0 });
    const end = bench.applied(changeTo(planFor('l', 4)));
    expect(end).toMatchObject({ kind: 'failed', failure: { code: 'INFEASIBLE' } });
    expect(end.kind === 'failed' && String(end.failure)).toContain('raise control.surge.cpuCores');
    expect([bench.events, bench.shown()]).toEqual([[], Array(4).fill('s:ready')]);
  });

  it('counts what other stages hold', () => {
    const bench = benchWith(planFor('s', 2), { budgetCpuCores: 4, surgeCpuCores: 0 });
    bench.applied(changeTo(planFor('s', 2), stageB));
    expect(bench.applied(changeTo(planFor('l', 2)))).toMatchObject({ kind: 'failed' });
    bench.applied(changeTo(planFor('s', 1), stageB));
    expect(mostCoresDuring(bench, planFor('l', 2))).toBe(4);
  });

  it('is of one stage at a time', () => {
    const bench = new FleetBench();
    const first = bench.apply(changeTo(planFor('s', 3)));
    const second = bench.apply(changeTo(planFor('s', 1), stageB));
    bench.advanceTo(19);
    expect([bench.shown(), bench.shown(stageB), first.length]).toEqual([['s:ready', 's:ready', 's:starting'], [], 0]);
    bench.advanceTo(30);
    expect([first, second]).toEqual([[{ kind: 'done' }], [{ kind: 'done' }]]);
  });

  it('sets the batching alone', () => {
    const bench = benchWith(planFor('s', 2));
    expect(bench.applied({ kind: 'set-batch', stageId: stageA, to: planFor('s', 2, 1, 8) })).toEqual({ kind: 'done' });
    expect(bench.events).toEqual([[10, 'a', 'adopt', 's/8']]);
    expect(bench.fleet.runningPlan().stages[stageA]).toMatchObject({ maxBatchSize: 8 });
  });

  it('sets the threshold alone, without a start', () => {
    const bench = benchWith({ ...planFor('s', 2), threshold: 0.6 });
    expect(bench.fleet.runningPlan().stages[stageA]?.threshold).toBe(0.6);
    const to = { ...planFor('s', 2), threshold: 0.8 };
    expect(bench.applied({ kind: 'set-threshold', stageId: stageA, fromThreshold: 0.6, to })).toEqual({ kind: 'done' });
    expect(bench.events.map(([, , what]) => what)).toEqual(['adopt']);
    expect(bench.fleet.runningPlan().stages[stageA]?.threshold).toBe(0.8);
  });

  it('sets the quorum alone, without a start', () => {
    const bench = benchWith({ ...planFor('s', 2), quorum: 2 });
    expect(bench.fleet.runningPlan().stages[stageA]?.quorum).toBe(2);
    const to = { ...planFor('s', 2), quorum: 3 };
    expect(bench.applied({ kind: 'set-quorum', stageId: stageA, fromQuorum: 2, to })).toEqual({ kind: 'done' });
    expect(bench.events.map(([, , what]) => what)).toEqual(['adopt']);
    expect(bench.fleet.runningPlan().stages[stageA]?.quorum).toBe(3);
  });

  it('to no replicas lets requests skip the stage first; from none, all replicas are ready first', () => {
    const bench = benchWith(planFor('s', 2));
    expect(bench.applied(changeTo(planFor('t', 0)))).toEqual({ kind: 'done' });
    expect(bench.events.map(([, , what]) => what)).toEqual(['adopt', 'drain', 'drain']);
    expect(bench.fleet.runningPlan().stages[stageA]).toMatchObject({ replicas: [], omitted: true });
    bench.events.length = 0;
    const end = bench.apply(changeTo(planFor('l', 3)));
    bench.advanceTo(bench.nowMs + 15);
    expect(bench.shown()).toEqual(['l:ready', 'l:ready', 'l:starting']);
    expect(bench.fleet.runningPlan().stages[stageA]).toMatchObject({ omitted: true });
    bench.advanceTo(bench.nowMs + 10);
    expect(end).toEqual([{ kind: 'done' }]);
    expect(bench.events.map(([, , what]) => what).slice(-2)).toEqual(['serve', 'adopt']);
    expect(bench.fleet.runningPlan().stages[stageA]?.omitted).toBeUndefined();
  });

  it('from no replicas is given up as a whole when a start fails', () => {
    const bench = benchWith(planFor('s', 0));
    let starts = 0;
    const start = bench.start.bind(bench);
    bench.start = (stage, replica) => {
      starts += 1;
      start(stage, starts === 3 ? { ...replica, variantId: planFor('broken', 1).variantId } : replica);
    };
    expect(bench.applied(changeTo(planFor('s', 3)))).toMatchObject({ kind: 'failed' });
    bench.advanceTo(bench.nowMs + 10);
    expect(bench.shown()).toEqual([]);
    expect(bench.fleet.runningPlan().stages[stageA]).toMatchObject({ omitted: true });
  });

  it('is given up when a start fails in the middle: the old plan is restored after the back-off', () => {
    const bench = new FleetBench({ budgetCpuCores: 3 });
    bench.applied(changeTo(planFor('s', 3)));
    let starts = 0;
    const start = bench.start.bind(bench);
    bench.start = (stage, replica) => {
      starts += 1;
      start(stage, starts === 2 ? { ...replica, variantId: planFor('broken', 1).variantId } : replica);
    };
    const end = bench.applied(changeTo(planFor('l', 3)));
    expect(end).toMatchObject({ kind: 'failed', failure: { code: 'MODEL_LOAD_FAILED' } });
    expect(bench.shown()).toEqual(['s:ready', 's:ready', 'l:ready', 's:failed']);
    bench.advanceTo(bench.nowMs + 1_000);
    expect(bench.shown()).toEqual(['s:ready', 's:ready', 's:ready']);
    expect(bench.events.at(-1)?.[2]).toBe('drain');
  });

  it('keeps what has started when a mere growth fails', () => {
    const bench = benchWith(planFor('s', 1));
    let starts = 0;
    const start = bench.start.bind(bench);
    bench.start = (stage, replica) => {
      starts += 1;
      start(stage, starts === 2 ? { ...replica, variantId: planFor('broken', 1).variantId } : replica);
    };
    expect(bench.applied(changeTo(planFor('s', 5)))).toMatchObject({ kind: 'failed' });
    expect(bench.shown()).toEqual(['s:ready', 's:ready', 's:ready']);
    expect([bench.advance(), starts]).toEqual([false, 3]);
  });

  it('is given up when its starts last longer than the surge may', () => {
    const bench = new FleetBench({ maxSurgeMs: 25 });
    bench.applied(changeTo(planFor('s', 2)));
    const end = bench.applied(changeTo(planFor('l', 6)));
    expect(end).toMatchObject({ kind: 'failed', failure: { message: expect.stringContaining('0.025 s') } });
    bench.advanceTo(5_000);
    expect(bench.shown()).toEqual(['s:ready', 's:ready']);
  });

  it('waits 30 s for a drain, no longer, and counts its cores no longer', () => {
    const bench = new FleetBench({ budgetCpuCores: 1 }, { drainMs: () => Number.POSITIVE_INFINITY });
    bench.applied(changeTo(planFor('s', 1)));
    bench.applied(changeTo(planFor('l', 1)));
    expect([bench.nowMs, bench.shown()]).toEqual([30_020, ['s:draining', 'l:ready']]);
    expect(bench.applied(changeTo(planFor('s', 1)))).toEqual({ kind: 'done' });
  });

  it.each<[string, readonly StageId[], number]>([
    ['waits for an omitted stage that requests in flight need', [], 30_020],
    ['does not wait for one that new requests need until it is done', [stageA], 20],
  ])('%s', (_, needed, doneAtMs) => {
    const bench = new FleetBench({ budgetCpuCores: 1, surgeCpuCores: 0 }, { drainMs: () => Number.POSITIVE_INFINITY });
    bench.applied(changeTo(planFor('s', 1)));
    for (const stage of needed) bench.needed.add(stage);
    const ends = [bench.apply(changeTo(planFor('s', 0))), bench.apply(changeTo(planFor('l', 1), stageB))];
    bench.advanceTo(doneAtMs);
    expect([ends, bench.shown(), bench.shown(stageB)]).toEqual([
      [[{ kind: 'done' }], [{ kind: 'done' }]],
      ['s:draining'],
      ['l:ready'],
    ]);
    expect(bench.events).toContainEqual([doneAtMs, 'b', 'serve', 'b-l-1']);
  });
});

describe('FleetScheduler, a change that gives way', () => {
  /** Stage A has been changing from two replicas to `to` for 5 ms. */
  function onItsWay(to: StagePlan, limits: BenchSettings[0] = {}) {
    const bench = benchWith(planFor('s', 2), limits);
    bench.applied(changeTo(planFor('s', 1), stageB));
    const before = bench.apply(changeTo(to));
    const waiting = bench.apply(changeTo(planFor('s', 9), stageB));
    bench.advanceTo(bench.nowMs + 5);
    bench.events.length = 0;
    return { bench, before, waiting, begunMs: bench.nowMs };
  }

  it('ends at once with all that wait, goes on by itself, and the next begins beside it', () => {
    const { bench, before, waiting, begunMs } = onItsWay(planFor('s', 3));
    bench.fleet.preempt(bench.nowMs);
    expect([before, waiting]).toEqual([[{ kind: 'gave-way' }], [{ kind: 'gave-way' }]]);
    expect(bench.fleet.changing).toBe(false);
    expect(bench.applied(changeTo(planFor('s', 2), stageB))).toEqual({ kind: 'done' });
    expect(bench.nowMs).toBe(begunMs + 10);
    expect([bench.shown(), bench.shown(stageB)]).toEqual([Array(3).fill('s:ready'), Array(2).fill('s:ready')]);
  });

  it('goes over to another plan of its stage, and what it does not want of the old one is not put in service', () => {
    const { bench, begunMs } = onItsWay(planFor('l', 2));
    bench.fleet.preempt(bench.nowMs);
    expect(bench.applied(changeTo(planFor('s', 4)))).toEqual({ kind: 'done' });
    expect(bench.shown()).toEqual(Array(4).fill('s:ready'));
    expect(bench.events.some(([, , what, subject]) => what === 'serve' && subject.includes('-l-'))).toBe(false);
    expect(bench.nowMs).toBeLessThanOrEqual(begunMs + 20);
  });

  it('turns back where one of its starts fails, though nobody waits for it', () => {
    const { bench, before } = onItsWay(planFor('broken', 2));
    bench.fleet.preempt(bench.nowMs);
    bench.advanceTo(bench.nowMs + 60_000);
    expect(before).toEqual([{ kind: 'gave-way' }]);
    expect(bench.shown()).toEqual(Array(2).fill('s:ready'));
    expect(bench.events.filter(([, , what]) => what === 'restart-failed')).toHaveLength(1);
  });

  it('is waited for where the next has no room before it has arrived, and for no longer than it can arrive', () => {
    const limits = { budgetCpuCores: 4, surgeCpuCores: 1 };
    const { bench } = onItsWay(planFor('l', 2), limits);
    bench.fleet.preempt(bench.nowMs);
    expect(bench.applied(changeTo(planFor('s', 2), stageB))).toEqual({ kind: 'done' });
    expect(bench.shown()).toEqual(Array(2).fill('l:ready'));
    const tight = onItsWay(planFor('broken', 2), limits).bench;
    tight.fleet.preempt(tight.nowMs);
    expect(tight.applied(changeTo(planFor('s', 2), stageB)).kind).toBe('done');
    expect(tight.applied(changeTo(planFor('s', 9), stageB)).kind).toBe('failed');
  });
});

describe('FleetScheduler, a lost replica', () => {
  it('is restarted after the back-off, in the room that is kept for it', () => {
    const bench = benchWith(planFor('s', 2), { budgetCpuCores: 3, surgeCpuCores: 0 });
    bench.applied(changeTo(planFor('s', 1), stageB));
    bench.lose();
    expect(bench.shown()).toEqual(['s:ready', 's:failed']);
    expect(bench.applied(changeTo(planFor('s', 2), stageB))).toMatchObject({ kind: 'failed' });
    bench.advanceTo(1_000);
    expect(bench.shown()).toEqual(['s:ready', 's:ready']);
    expect(bench.events.filter(([, , what]) => what === 'start')).toEqual([
      [10, 'b', 'start', 'b-s-1'],
      [120, 'a', 'start', 'a-s-4'],
    ]);
  });

  it('is restarted at once, however often, if it had served for a second, or for as long as its start took', () => {
    const bench = benchWith(planFor('s', 1));
    const delays = Array.from({ length: 5 }, (_, loss) => {
      bench.advanceTo(bench.nowMs + ([1_500, 1_500, 1_500, 100, 5][loss] as number));
      const lostAtMs = bench.nowMs;
      bench.lose();
      while (bench.having('ready').length < 1) bench.advance();
      return bench.nowMs - lostAtMs - 10;
    });
    expect(delays).toEqual([100, 100, 100, 100, 200]);
  });

  it('of the old kind is not replaced in a switch, of the new kind holds the drains up', () => {
    const bench = benchWith(planFor('s', 2), { startConcurrency: 1 });
    const beganAtMs = bench.nowMs;
    const ends = bench.apply(changeTo(planFor('l', 2)));
    bench.lose();
    bench.advanceTo(beganAtMs + 10);
    expect(bench.shown()).toEqual(['s:ready', 'l:ready', 'l:starting']);
    const newer = bench.having('ready').at(-1);
    if (newer !== undefined) bench.fleet.lost(newer.replicaId, bench.nowMs);
    bench.advanceTo(beganAtMs + 109);
    expect([bench.shown(), ends]).toEqual([['s:ready', 'l:ready', 'l:failed'], []]);
    bench.advanceTo(beganAtMs + 130);
    expect([bench.shown(), ends]).toEqual([['l:ready', 'l:ready'], [{ kind: 'done' }]]);
  });
});

describe('FleetScheduler, an unfit replica', () => {
  it('that hung is replaced at once, however often, without waiting for its cores', () => {
    const limits = { budgetCpuCores: 1, surgeCpuCores: 0 };
    const bench = benchWith(planFor('s', 1), limits, { drainMs: () => 500 });
    for (let hangs = 1; hangs <= 3; hangs++) {
      const [replica] = bench.having('ready');
      if (replica !== undefined) bench.fleet.unhealthy(replica.replicaId, 'hung', bench.nowMs);
      expect(bench.shown()).toEqual([...new Array<string>(hangs).fill('s:draining'), 's:starting']);
      bench.advanceTo(bench.nowMs + 10);
      expect(bench.having('ready')).toHaveLength(1);
    }
    bench.advanceTo(bench.nowMs + 500);
    expect(bench.shown()).toEqual(['s:ready']);
  });

  it('that may hang gets its replacement next to it, which leaves again if the batch ends after all', () => {
    const bench = benchWith(planFor('s', 1), { budgetCpuCores: 1 });
    const [late] = bench.having('ready');
    const runsLate = (isLate: boolean) => late && bench.fleet.runsLate(late.replicaId, isLate, bench.nowMs);
    runsLate(true);
    expect(bench.shown()).toEqual(['s:ready', 's:starting']);
    bench.advanceTo(bench.nowMs + 10);
    runsLate(false);
    bench.advanceTo(bench.nowMs + 10);
    expect(bench.shown()).toEqual(['s:ready']);
    runsLate(true);
    bench.advanceTo(bench.nowMs + 10);
    if (late !== undefined) bench.fleet.unhealthy(late.replicaId, 'hung', bench.nowMs);
    expect(bench.shown()).toEqual(['s:draining', 's:ready']);
    bench.advanceTo(bench.nowMs + 10);
    expect(bench.shown()).toEqual(['s:ready']);
  });

  it.each([
    ['bounds.replicas.max', { mostReplicas: new Map([[stageA, 1]]) }],
    ['headroom', { budgetCpuCores: 1, surgeCpuCores: 0 }],
  ])('that may hang gets no replacement next to it without %s', (_, limits) => {
    const bench = benchWith(planFor('s', 1), limits);
    const [late] = bench.having('ready');
    if (late !== undefined) bench.fleet.runsLate(late.replicaId, true, bench.nowMs);
    expect(bench.shown()).toEqual(['s:ready']);
    expect(bench.events.some(([, , what]) => what === 'restart-failed')).toBe(false);
  });

  it('is closed, and another starts after the back-off beside it, in the room of a surge', () => {
    const bench = benchWith(planFor('s', 2), { budgetCpuCores: 2 }, { drainMs: () => 500 });
    const [replica] = bench.having('ready');
    if (replica !== undefined) bench.fleet.unhealthy(replica.replicaId, 'slow', bench.nowMs);
    expect(bench.shown()).toEqual(['s:draining', 's:ready', 's:failed']);
    bench.advanceTo(bench.nowMs + 120);
    expect(bench.shown()).toEqual(['s:draining', 's:ready', 's:ready']);
    bench.advanceTo(bench.nowMs + 500);
    expect(bench.shown()).toEqual(['s:ready', 's:ready']);
  });

  it('that is on its way out already just goes', () => {
    const bench = benchWith(planFor('s', 2), {}, { drainMs: () => 500 });
    bench.apply(changeTo(planFor('s', 1)));
    const [leaving] = bench.having('draining');
    if (leaving !== undefined) bench.fleet.unhealthy(leaving.replicaId, 'hung', bench.nowMs);
    expect(bench.shown()).toEqual(['s:ready', 's:draining']);
    bench.advanceTo(bench.nowMs + 500);
    expect(bench.shown()).toEqual(['s:ready']);
  });
});

describe('FleetScheduler under random changes', () => {
  const anyPlan = fc
    .record({
      variant: fc.constantFrom('s', 's', 'l', 'l', 'broken'),
      replicas: fc.integer({ min: 1, max: 6 }),
      cpuCores: fc.constantFrom(0.5, 1, 2),
    })
    .map(({ variant, replicas, cpuCores }) => planFor(variant, replicas, cpuCores));

  /** Ready ÷ planned replicas: capacities of different kinds cannot be compared. */
  const share = (bench: FleetBench, plan: StagePlan): number =>
    bench.having('ready').filter((replica) => isOfKind(replica, plan)).length / plan.replicas;

  interface Promised {
    readonly cores: number;
    readonly startConcurrency: number;
    /** Plan that the next one replaces; undefined if the headroom is too small to keep its capacity. */
    readonly inForce: StagePlan | undefined;
  }

  function watch(bench: FleetBench, to: StagePlan, { cores, startConcurrency, inForce }: Promised): void {
    const least = Math.min(bench.having('ready').length, to.replicas);
    const gives = inForce !== undefined && to.variantId !== 'broken' && !isOfKind(to, inForce) ? inForce : undefined;
    bench.onEvent = () => {
      expect(coresIn(bench)).toBeLessThanOrEqual(cores + 1e-9);
      expect(bench.having('starting').length).toBeLessThanOrEqual(startConcurrency);
      expect(bench.having('ready').length).toBeGreaterThanOrEqual(least);
      if (gives !== undefined) expect(share(bench, gives) + share(bench, to)).toBeGreaterThan(1 - 1e-9);
    };
  }

  function expectServing(bench: FleetBench, plan: StagePlan | undefined): void {
    expect(bench.shown()).toEqual(Array(plan?.replicas ?? 0).fill(`${plan?.variantId}:ready`));
  }

  function followsPlans(
    plans: readonly StagePlan[],
    startConcurrency: number,
    surgeCpuCores: number | undefined,
  ): void {
    const budgetCpuCores = Math.max(...plans.map(({ replicas, resources }) => replicas * resources.cpuCores));
    const limits = { budgetCpuCores, startConcurrency };
    const bench = new FleetBench(surgeCpuCores === undefined ? limits : { ...limits, surgeCpuCores });
    let inForce: StagePlan | undefined;
    for (const to of plans) {
      const largest = Math.max(to.resources.cpuCores, inForce?.resources.cpuCores ?? 0);
      const cores = budgetCpuCores + (surgeCpuCores ?? largest);
      watch(bench, to, { cores, startConcurrency, inForce: surgeCpuCores === 6 ? inForce : undefined });
      const end = bench.applied(changeTo(to));
      expect(end.kind).toBe(to.variantId === 'broken' ? 'failed' : 'done');
      bench.advanceTo(bench.nowMs + 20_000);
      if (end.kind === 'done') inForce = to;
      expectServing(bench, inForce);
    }
  }

  it('keeps capacity and room, and ends where the plan says (1,000 sequences)', () => {
    const sequences = fc.array(anyPlan, { minLength: 2, maxLength: 6 });
    const surges = fc.constantFrom(undefined, 3, 6);
    fc.assert(fc.property(sequences, fc.integer({ min: 1, max: 3 }), surges, followsPlans), {
      seed: 5,
      numRuns: 1_000,
    });
  });
});
