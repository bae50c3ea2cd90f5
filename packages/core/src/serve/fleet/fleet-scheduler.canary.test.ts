import { describe, expect, it } from 'vitest';
import type { CanaryCounts } from '../../model/canary-counts.js';
import type { Change } from '../../model/change.js';
import { stageId, variantId } from '../../model/ids.js';
import type { RunningReplica } from '../../model/running-plan.js';
import { changeTo, FleetBench, planFor, stageA, stageB } from './fleet-bench.test-support.js';

const rules = { stages: new Set([stageA, stageB]), percentile: 99 };
const side = (missed: number, ended: number) => ({ ended, missed });
const good = (nowMs: number) => ({ before: side(0, nowMs / 10), after: side(0, nowMs / 20) });
const bad = (nowMs: number) => ({ before: side(0, nowMs / 10), after: side(nowMs / 100, nowMs / 100) });

/** Two replicas of variant `s` run; `l` has never served. */
function tried(
  limits: ConstructorParameters<typeof FleetBench>[0] = {},
  to = planFor('l', 2),
  how: Pick<Change, 'oneStep'> = {},
) {
  const bench = new FleetBench({ canary: rules, ...limits });
  bench.applied(changeTo(planFor('s', 2)));
  bench.applied(changeTo(planFor('s', 1), stageB));
  bench.events.length = 0;
  bench.outcomes = good;
  const ends = bench.apply({ ...changeTo(to), ...how });
  bench.advanceTo(bench.nowMs + 1_000);
  return { bench, ends };
}

const fractions = ({ events }: FleetBench) => events.flatMap(([, , what, of]) => (what === 'share-canary' ? [of] : []));
const canaryOf = (bench: FleetBench) => bench.fleet.runningPlan().stages[stageA]?.canary;

describe('FleetScheduler, a canary', () => {
  it('goes from 10 % over 50 % to all, and the old replicas stay until then', () => {
    const { bench, ends } = tried();
    expect([canaryOf(bench), bench.shown()]).toEqual([
      { variantId: 'l', fraction: 0.1, missingOutcomes: 0 },
      ['s:ready', 's:ready', 'l:ready'],
    ]);
    bench.advanceTo(40_000);
    expect([fractions(bench), ends, bench.shown()]).toEqual([
      ['0.1', '0.5'],
      [{ kind: 'done' }],
      ['l:ready', 'l:ready'],
    ]);
    expect(bench.news).toEqual([
      { variantId: 'l', state: 'step', fraction: 0.1 },
      { variantId: 'l', state: 'step', fraction: 0.5 },
      { variantId: 'l', state: 'passed', fraction: 0.5 },
    ]);
  });

  it('is rolled back at once: its replica goes, the old ones serve on, and the change has failed', () => {
    const { bench, ends } = tried();
    bench.outcomes = bad;
    bench.advanceTo(bench.nowMs + 300);
    expect(ends).toMatchObject([{ kind: 'failed', failure: { code: 'CANARY_FAILED' } }]);
    expect(bench.shown()).toEqual(['s:ready', 's:ready']);
    expect(canaryOf(bench)).toBeUndefined();
    const why = expect.stringContaining('missed the SLO');
    expect(bench.news.slice(1)).toEqual([{ variantId: 'l', state: 'rolled-back', fraction: 0.1, why }]);
    // `l` has not served yet, so it needs a canary again.
    bench.outcomes = good;
    bench.apply(changeTo(planFor('l', 2)));
    bench.advanceTo(bench.nowMs + 100);
    expect(canaryOf(bench)?.fraction).toBe(0.1);
  });

  it('of one step goes from 10 % to all; a bad variant is rolled back as ever', () => {
    const first = tried({}, planFor('l', 2), { oneStep: true });
    first.bench.advanceTo(12_000);
    expect([fractions(first.bench), first.ends, first.bench.shown()]).toEqual([
      ['0.1'],
      [{ kind: 'done' }],
      ['l:ready', 'l:ready'],
    ]);
    const { bench, ends } = tried({}, planFor('l', 2), { oneStep: true });
    bench.outcomes = bad;
    bench.advanceTo(bench.nowMs + 300);
    expect(ends).toMatchObject([{ kind: 'failed', failure: { code: 'CANARY_FAILED' } }]);
    expect(bench.shown()).toEqual(['s:ready', 's:ready']);
  });

  it('leaves its variant in back-off, twice as long each time, also if it went on by itself', () => {
    const { bench } = tried();
    const rolledBack = () => bench.fleet.runningPlan().stages[stageA]?.rolledBack;
    expect(rolledBack()).toBeUndefined();
    bench.outcomes = bad;
    while (canaryOf(bench) !== undefined) bench.advance();
    expect(rolledBack()).toEqual([{ variantId: 'l', untilMs: bench.nowMs + 60_000 }]);
    bench.fleet.advance(bench.nowMs + 60_000);
    expect(rolledBack()).toBeUndefined();
    bench.advanceTo(bench.nowMs + 60_000);
    bench.outcomes = good;
    bench.apply(changeTo(planFor('l', 2)));
    bench.advanceTo(bench.nowMs + 1_000);
    bench.fleet.preempt(bench.nowMs);
    bench.outcomes = bad;
    while (canaryOf(bench) !== undefined) bench.advance();
    expect(rolledBack()).toEqual([{ variantId: 'l', untilMs: bench.nowMs + 120_000 }]);
  });

  it('leaves its variant in back-off from that instant on, whatever the fraction of a millisecond', () => {
    for (let i = 0; i < 50; i++) {
      const bench = new FleetBench();
      bench.applied(changeTo(planFor('s', 1)));
      bench.advanceTo(1_000 + i * 0.597_003_1);
      expect(bench.applied(changeTo(planFor('broken', 1))).kind).toBe('failed');
      expect(bench.fleet.runningPlan().stages[stageA]?.rolledBack).toHaveLength(1);
    }
  });

  it('is left out for a variant that has served', () => {
    const { bench } = tried();
    bench.advanceTo(40_000);
    bench.events.length = 0;
    expect(bench.applied(changeTo(planFor('s', 2)))).toEqual({ kind: 'done' });
    expect(fractions(bench)).toEqual([]);
  });

  it('rolls within the budget: old replicas make room only for the fraction that is carried', () => {
    const { bench } = tried({ budgetCpuCores: 5 }, planFor('l', 4));
    bench.advanceTo(60_000);
    expect(bench.shown()).toEqual(Array(4).fill('l:ready'));
    expect(fractions(bench)).toEqual(['0.1', '0.25', '0.5'].slice(0, fractions(bench).length));
  });

  describe('while the first step lacks outcomes', () => {
    /** One outcome of the new side every three seconds. */
    const fewer =
      (more: Partial<CanaryCounts> = {}) =>
      (nowMs: number) => {
        const after = side(0, Math.floor(nowMs / 3_000));
        return { before: side(0, nowMs / 100), after, ...more };
      };
    const slowness = { measured: 1.5, tooSlow: 1.2, itemsPerSecond: 3, slower: 1, evidence: 0.5 };

    it('offers half of the requests after its shortest time, with replicas for them, and needs the same outcomes', () => {
      const { bench } = tried({}, planFor('l', 4));
      bench.outcomes = fewer();
      bench.advanceTo(8_000);
      expect([canaryOf(bench)?.fraction, bench.shown().length]).toEqual([0.1, 3]);
      bench.advanceTo(9_300);
      expect(canaryOf(bench)).toMatchObject({ fraction: 0.5, missingOutcomes: 9 });
      expect(bench.shown()).toEqual(['s:ready', 's:ready', 'l:ready', 'l:ready']);
      bench.advanceTo(35_500);
      expect(canaryOf(bench)?.missingOutcomes).toBe(1);
      // The second step begins with the twelfth outcome and needs sixty.
      bench.advanceTo(60_500);
      expect([canaryOf(bench)?.missingOutcomes, fractions(bench)]).toEqual([40, ['0.1', '0.25', '0.5']]);
    });

    it.each([
      ['has no outcome', { after: side(0, 0) }],
      ['has missed once', { after: side(1, 5) }],
      ['may be slow', { slowness }],
    ])('offers no more if the new side %s', (_, more) => {
      const { bench } = tried();
      bench.outcomes = fewer(more);
      bench.advanceTo(30_000);
      expect(canaryOf(bench)?.fraction).toBe(0.1);
    });

    it('offers only what fits next to all old replicas', () => {
      const bench = new FleetBench({ canary: rules, budgetCpuCores: 4 });
      bench.applied(changeTo(planFor('s', 4)));
      bench.outcomes = fewer();
      bench.apply(changeTo(planFor('l', 4)));
      bench.advanceTo(9_900);
      expect(bench.shown()).toEqual(['s:ready', 's:ready', 's:ready', 's:ready', 'l:ready']);
      expect(canaryOf(bench)?.fraction).toBe(0.25);
      bench.outcomes = fewer({ after: side(1, 4) });
      bench.advanceTo(12_000);
      expect([canaryOf(bench)?.fraction, bench.shown().length]).toEqual([0.1, 5]);
    });

    it('keeps its offer, and the replicas that start for it, while the evidence of slowness wavers', () => {
      const startMs = (replica: RunningReplica) => (replica.variantId === variantId('l') ? 3_000 : 10);
      const bench = new FleetBench({ canary: rules }, { startMs });
      bench.applied(changeTo(planFor('s', 2)));
      bench.outcomes = fewer();
      bench.apply(changeTo(planFor('l', 4)));
      bench.advanceTo(12_000);
      expect(bench.shown()).toEqual(['s:ready', 's:ready', 'l:ready', 'l:starting']);
      for (const slower of [1.5, 0.9, 19]) {
        bench.outcomes = fewer({ slowness: { ...slowness, slower } });
        bench.advanceTo(bench.nowMs + 400);
      }
      bench.advanceTo(16_000);
      expect([canaryOf(bench)?.fraction, bench.shown().length]).toEqual([0.5, 4]);
      expect(bench.events.filter(([, , what]) => what === 'discard')).toEqual([]);
      bench.outcomes = fewer({ slowness: { ...slowness, slower: 21 } });
      bench.advanceTo(16_500);
      expect(canaryOf(bench)?.fraction).toBe(0.1);
    });

    it('returns to the first fraction after a miss', () => {
      const { bench } = tried({}, planFor('l', 4));
      bench.outcomes = fewer();
      bench.advanceTo(9_000);
      bench.outcomes = fewer({ after: side(1, 4) });
      bench.advanceTo(9_500);
      expect([canaryOf(bench)?.fraction, fractions(bench)]).toEqual([0.1, ['0.1', '0.25', '0.5', '0.1']]);
    });

    it('fails if its additional replicas do not start in time', () => {
      let startMs = 10;
      const bench = new FleetBench({ canary: rules, maxSurgeMs: 2_000 }, { startMs: () => startMs });
      bench.applied(changeTo(planFor('s', 2)));
      bench.outcomes = fewer();
      const ends = bench.apply(changeTo(planFor('l', 4)));
      bench.advanceTo(1_000);
      startMs = 60_000;
      bench.advanceTo(9_900);
      expect([canaryOf(bench)?.fraction, ends]).toEqual([0.25, []]);
      bench.advanceTo(80_000);
      expect(ends).toMatchObject([{ kind: 'failed', failure: { code: 'MODEL_LOAD_FAILED' } }]);
      expect(bench.shown()).toEqual(['s:ready', 's:ready']);
    });
  });

  it('does not hold a change of another stage up that skips it, and goes on by itself', () => {
    const { bench, ends } = tried();
    bench.fleet.preempt(bench.nowMs);
    expect(ends).toEqual([{ kind: 'gave-way' }]);
    const beganMs = bench.nowMs;
    expect(bench.applied({ ...changeTo(planFor('s', 3), stageB), atOnce: true })).toEqual({ kind: 'done' });
    expect(bench.nowMs - beganMs).toBeLessThan(100);
    expect(canaryOf(bench)?.fraction).toBe(0.1);
    bench.advanceTo(bench.nowMs + 40_000);
    expect(bench.shown()).toEqual(['l:ready', 'l:ready']);
  });

  it('gives way to a protective change of its own stage, to either variant', () => {
    const same = tried().bench;
    same.fleet.preempt(same.nowMs);
    const beganMs = same.nowMs;
    expect(same.applied({ ...changeTo(planFor('l', 3)), atOnce: true })).toEqual({ kind: 'done' });
    expect([same.nowMs - beganMs < 100, same.shown()]).toEqual([true, Array(3).fill('l:ready')]);
    expect(same.news.at(-1)?.state).toBe('ended');
    const other = tried().bench;
    other.fleet.preempt(other.nowMs);
    expect(other.applied({ ...changeTo(planFor('s', 3)), atOnce: true })).toEqual({ kind: 'done' });
    expect([other.shown(), other.news.at(-1)?.state]).toEqual([Array(3).fill('s:ready'), 'ended']);
  });

  it('that goes on by itself is rolled back by itself, and another canary waits for it', () => {
    const { bench } = tried();
    bench.fleet.preempt(bench.nowMs);
    const waiting = bench.apply(changeTo(planFor('l', 1), stageB));
    bench.advanceTo(bench.nowMs + 500);
    expect(bench.fleet.runningPlan().stages[stageB]?.canary).toBeUndefined();
    bench.outcomes = bad;
    while (canaryOf(bench) !== undefined) bench.advance();
    bench.outcomes = good;
    bench.advanceTo(bench.nowMs + 100);
    expect(bench.shown()).toEqual(['s:ready', 's:ready']);
    expect(bench.events.some(([, , what]) => what === 'restart-failed')).toBe(true);
    bench.advanceTo(bench.nowMs + 50_000);
    expect(waiting).toEqual([{ kind: 'done' }]);
  });

  it('is ended by a person without a verdict: the old replicas serve on, and no back-off follows', () => {
    for (const isAlone of [false, true]) {
      const { bench, ends } = tried();
      if (isAlone) bench.fleet.preempt(bench.nowMs);
      expect(bench.fleet.endCanary(bench.nowMs)).toBe(true);
      bench.advanceTo(bench.nowMs + 100);
      expect([ends, bench.shown()]).toEqual([[{ kind: 'gave-way' }], ['s:ready', 's:ready']]);
      const { canary, rolledBack } = bench.fleet.runningPlan().stages[stageA] ?? {};
      expect([canary, rolledBack, bench.news.at(-1)?.state]).toEqual([undefined, undefined, 'ended']);
      expect(bench.fleet.endCanary(bench.nowMs)).toBe(false);
      expect(bench.applied(changeTo(planFor('s', 3)))).toEqual({ kind: 'done' });
    }
  });

  it('is ended by a pin of its stage to another variant only', () => {
    const { bench } = tried();
    const end = (id: string, stage = stageA) =>
      bench.fleet.endCanary(bench.nowMs, { stageId: stage, variantId: variantId(id) });
    expect([end('l'), end('s', stageB), canaryOf(bench)?.fraction]).toEqual([false, false, 0.1]);
    expect([end('s'), canaryOf(bench)]).toEqual([true, undefined]);
  });

  it('keeps a change of the batch size of the old variant, also after a roll-back', () => {
    for (const outcomes of [good, bad]) {
      const { bench } = tried({}, planFor('l', 2, 1, 2));
      bench.fleet.preempt(bench.nowMs);
      bench.events.length = 0;
      const change = { kind: 'set-batch', stageId: stageA, to: planFor('s', 2, 1, 4) } as const;
      expect(bench.applied(change)).toEqual({ kind: 'done' });
      const batchSize = () => bench.fleet.runningPlan().stages[stageA]?.maxBatchSize;
      expect([bench.events.map(([, , ...what]) => what), batchSize()]).toEqual([[['adopt', 's/4']], 4]);
      bench.outcomes = outcomes;
      bench.advanceTo(bench.nowMs + 50_000);
      expect([bench.shown()[0], batchSize()]).toEqual(outcomes === good ? ['l:ready', 2] : ['s:ready', 4]);
    }
  });

  it('gets a change of its own batch size when it serves', () => {
    const { bench } = tried({}, planFor('l', 2, 1, 2));
    bench.fleet.preempt(bench.nowMs);
    bench.applied({ kind: 'set-batch', stageId: stageA, to: planFor('l', 2, 1, 4) });
    expect(bench.fleet.runningPlan().stages[stageA]?.maxBatchSize).toBe(1);
    bench.advanceTo(bench.nowMs + 50_000);
    expect([bench.shown()[0], bench.fleet.runningPlan().stages[stageA]?.maxBatchSize]).toEqual(['l:ready', 4]);
  });

  it('is rolled back when either side loses a replica, and the lost old one restarts', () => {
    const { bench, ends } = tried();
    bench.lose();
    bench.advanceTo(bench.nowMs + 1_000);
    expect(ends).toMatchObject([{ kind: 'failed', failure: { message: expect.stringContaining('lost a replica') } }]);
    expect(bench.shown()).toEqual(['s:ready', 's:ready']);
    const lost = tried();
    const [, , fresh] = lost.bench.having('ready');
    if (fresh !== undefined) lost.bench.fleet.lost(fresh.replicaId, lost.bench.nowMs);
    lost.bench.advanceTo(lost.bench.nowMs + 10);
    expect(lost.ends).toMatchObject([{ kind: 'failed', failure: { code: 'CANARY_FAILED' } }]);
  });

  it('ends at once when the fleet is closed', () => {
    const { bench, ends } = tried();
    let closed = false;
    bench.fleet.close(bench.nowMs, () => {
      closed = true;
    });
    bench.advanceTo(bench.nowMs + 100);
    expect([ends[0]?.kind, closed]).toEqual(['failed', true]);
  });

  it('is not opened for a kind that does not fit in the place of an open one', () => {
    const bench = new FleetBench({ canary: rules, budgetCpuCores: 4, surgeCpuCores: 0 });
    bench.applied(changeTo(planFor('s', 2)));
    bench.applied(changeTo(planFor('s', 1), stageB));
    bench.apply(changeTo(planFor('m', 1)));
    bench.advanceTo(bench.nowMs + 100);
    expect(canaryOf(bench)).toMatchObject({ variantId: 'm', fraction: 0.1 });
    bench.fleet.preempt(bench.nowMs);
    expect([bench.applied(changeTo(planFor('l', 1, 2))), bench.shown()]).toEqual([{ kind: 'done' }, ['l:ready']]);
  });

  it('ends where another stage takes the headroom of its first replica', () => {
    const limits = { canary: rules, budgetCpuCores: 4, surgeCpuCores: 0 };
    const bench = new FleetBench(limits, { drainMs: () => 500 });
    bench.applied(changeTo(planFor('s', 3)));
    bench.applied(changeTo(planFor('s', 1), stageB));
    bench.apply(changeTo(planFor('s', 2)));
    bench.fleet.preempt(bench.nowMs);
    bench.apply(changeTo(planFor('l', 1)));
    bench.fleet.preempt(bench.nowMs);
    expect(canaryOf(bench)).toMatchObject({ variantId: 'l', fraction: 0 });
    expect(bench.applied({ ...changeTo(planFor('s', 2), stageB), atOnce: true })).toEqual({ kind: 'done' });
    bench.advanceTo(bench.nowMs + 1_000);
    expect([canaryOf(bench), bench.shown()]).toEqual([undefined, ['s:ready', 's:ready']]);
    bench.lose();
    bench.advanceTo(bench.nowMs + 1_000);
    expect(bench.shown()).toEqual(['s:ready', 's:ready']);
  });

  it('is not held to the time that its starts may take', () => {
    const { bench, ends } = tried({ maxSurgeMs: 5_000 });
    bench.advanceTo(40_000);
    expect(ends).toEqual([{ kind: 'done' }]);
  });

  it('is not opened at stages that the rules leave out', () => {
    const { bench } = tried({ canary: { ...rules, stages: new Set([stageId('other')]) } });
    expect(fractions(bench)).toEqual([]);
  });
});
