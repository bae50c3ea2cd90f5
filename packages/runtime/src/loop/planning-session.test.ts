import type { ControllerSnapshot } from '@equipoise/core/control';
import { type Observation, replicaId, stageId, variantId } from '@equipoise/core/model';
import { describe, expect, it } from 'vitest';
import { PlanningSession } from './planning-session.js';
import { playedSetup } from './replay-log.test-support.js';

const a = stageId('a');
/** A calm load on the less accurate variant, so that the plan can improve. */
const observedAt = (atMs: number): Observation => ({
  ...{ atMs, stages: {}, staleSources: [], load: { arrivalsPerSecond: new Array<number>(60).fill(12) } },
  runningPlan: {
    stages: {
      [a]: {
        ...{ maxBatchSize: 1, maxBatchWaitMs: 0 },
        replicas: [
          {
            ...{ replicaId: replicaId('small-0'), variantId: variantId('small'), status: 'ready' },
            resources: { cpuCores: 1, memoryBytes: 0, gpus: 0 },
          },
        ],
      },
    },
  },
});

function sessionWith(guardrails?: ControllerSnapshot['guardrails']) {
  const session = new PlanningSession(playedSetup);
  if (guardrails !== undefined) session.answer({ kind: 'resume', kept: { guardrails } });
  const tick = (atMs: number, executes: boolean) =>
    session.answer({ kind: 'tick', observation: observedAt(atMs), executes, changedByHand: false });
  /** The first plan, nine seconds after the first observation. */
  const plan = (atMs: number, executes = true) => {
    tick(atMs - 9000, executes);
    return tick(atMs, executes);
  };
  return { session, plan };
}

describe('advice', () => {
  const risen = (atMs: number): Observation => ({
    ...observedAt(atMs),
    load: { arrivalsPerSecond: [...new Array<number>(50).fill(12), ...new Array<number>(10).fill(200)] },
  });
  const tick = (session: PlanningSession, observation: Observation, executes = false) =>
    session.answer({ kind: 'tick', observation, executes, changedByHand: false });

  it('on a burst is given once, then plans go on; carried out again, the burst is answered first', () => {
    const { session, plan } = sessionWith();
    plan(10_000, false);
    const triggers = (fromMs: number, untilMs: number) => {
      const seen: (string | undefined)[] = [];
      for (let atMs = fromMs; atMs <= untilMs; atMs += 1000) seen.push(tick(session, risen(atMs)).trigger);
      return seen.filter((trigger) => trigger !== undefined);
    };
    expect(triggers(11_000, 19_000)).toEqual(['burst']);
    expect(triggers(20_000, 30_000)).toEqual(['plan', 'plan']);
    expect(tick(session, risen(33_000), true)).toMatchObject({ trigger: 'burst', decision: { kind: 'apply' } });
  });
});

describe('a tick that finds the load and what runs as they were', () => {
  it('verifies nothing anew, and decides the same', () => {
    let verdicts = 0;
    const session = new PlanningSession(playedSetup, () => {
      verdicts++;
    });
    let runningPlan = observedAt(0).runningPlan;
    const tick = (atMs: number) =>
      session.answer({
        ...({ kind: 'tick', executes: true, changedByHand: false } as const),
        observation: { ...observedAt(atMs), runningPlan },
      });
    tick(1_000);
    const { decision } = tick(10_000);
    const [planned] = decision?.kind === 'apply' ? (decision.plan.stages[a] ?? []) : [];
    if (planned === undefined) throw new Error('an improvement is to be had');
    const { variantId: variant, resources, maxBatchSize, maxBatchWaitMs, replicas: count } = planned;
    const replicas = Array.from({ length: count }, (_, index) => ({
      ...{ replicaId: replicaId(`new-${index}`), variantId: variant, resources, status: 'ready' as const },
    }));
    runningPlan = { stages: { [a]: { maxBatchSize, maxBatchWaitMs, replicas } } };
    const first = tick(20_000);
    expect(verdicts).toBeGreaterThan(0);
    verdicts = 0;
    const later = [30_000, 40_000, 50_000].map(tick);
    expect(later.map((answer) => answer.decision)).toEqual([first, first, first].map((answer) => answer.decision));
    expect([first.decision?.kind, verdicts]).toEqual(['hold', 0]);
  });
});

describe('a plan that fails', () => {
  it('is tried again an interval later, not at every look', () => {
    const { session, plan } = sessionWith();
    plan(10_000);
    const look = (atMs: number, later?: () => undefined) =>
      session.answer({ kind: 'tick', observation: observedAt(atMs), executes: true, changedByHand: false }, later);
    const failing = () => {
      throw new Error('the solver has a bad day');
    };
    expect(() => look(20_000, failing)).toThrow('a bad day');
    for (let atMs = 21_000; atMs < 30_000; atMs += 1000) expect(look(atMs, failing).decision).toBeUndefined();
    expect(look(30_000).trigger).toBe('plan');
  });
});

describe('what the guardrails remember', () => {
  it('is news at the first change, and alone where nothing else is', () => {
    const { session, plan } = sessionWith();
    const answer = plan(10_000);
    expect(answer.decision?.kind).toBe('apply');
    expect(answer.kept).toMatchObject({ guardrails: { appliedAtMs: [10_000] } });
    expect(Object.keys(answer.kept ?? {})).toEqual(['guardrails']);
    expect(session.answer({ kind: 'keep' })).toMatchObject(answer.kept ?? {});
    expect(sessionWith().plan(10_000, false)).not.toHaveProperty('kept');
  });

  it('counts as it did before where it is gone on with', () => {
    const often = { appliedAtMs: Array.from({ length: 60 }, (_, i) => -1000 * i), switches: [] };
    expect(sessionWith(often).plan(10_000).decision).toMatchObject({
      kind: 'hold',
      reason: expect.stringContaining('60 changes in the last hour'),
    });
    const heldBack = { appliedAtMs: [], switches: [], backOff: { untilMs: 40_000, failures: 1 } };
    expect(sessionWith(heldBack).plan(10_000).decision).toMatchObject({
      kind: 'hold',
      reason: expect.stringContaining('no other for 30 s'),
    });
    expect(sessionWith(heldBack).plan(50_000).decision?.kind).toBe('apply');
  });
});
