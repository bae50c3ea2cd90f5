import type { Tick, TickAnswer } from '@equipoise/core/control';
import { type Change, type ControlMode, type Decision, type Observation, stageId } from '@equipoise/core/model';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { apply, change, evidence, LoopBench, type LoopOver, observation, plan } from './control-loop.test-support.js';

describe('ControlLoop', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('decides, applies, keeps the plan and the decision', async () => {
    const bench = new LoopBench();
    await bench.loop.tick();
    expect(bench.applied).toEqual([change]);
    expect(await bench.saved()).toEqual([plan]);
    expect(await bench.records()).toMatchObject([
      { id: 1, trigger: 'plan', mode: 'auto', decision: { kind: 'apply' }, outcome: { kind: 'applied', tookMs: 0 } },
    ]);
    expect(bench.kinds).toEqual(['decided', 'in-force']);
  });

  it('changes nothing in advise mode, but records what it would do', async () => {
    const bench = new LoopBench({ mode: () => 'advise' });
    await bench.loop.tick();
    expect(bench.applied).toEqual([]);
    expect(await bench.records()).toHaveLength(1);
    expect((await bench.records())[0]).not.toHaveProperty('outcome');
  });

  it.each<[string, LoopOver, string]>([
    ['a decision fails', { decide: () => Promise.reject(new Error('solver')) }, 'decide'],
    ['a change fails', { applyChange: () => Promise.reject(new Error('start')) }, 'apply'],
  ])('goes on when %s, keeping no plan', async (_, over, step) => {
    const bench = new LoopBench(over);
    await bench.loop.tick();
    await bench.loop.tick();
    expect(await bench.saved()).toEqual([]);
    const outcome = { kind: 'failed', step, message: step === 'decide' ? 'solver' : 'start' };
    // Every decision is logged, but a lasting fault only once.
    expect(await bench.records()).toMatchObject(step === 'decide' ? [{ outcome }] : [{ outcome }, { outcome }]);
    expect(bench.events.filter((event) => event.kind === 'failed' && event.step === step)).toHaveLength(2);
  });

  it('logs a failure to decide again when it is another one, or came back', async () => {
    const messages = ['solver', 'solver', 'profile', undefined, 'profile', 'profile'];
    const bench: LoopBench = new LoopBench({
      decide: async () => {
        const message = messages[bench.decisions++];
        if (message !== undefined) throw new Error(message);
        return {};
      },
    });
    for (const _ of messages) await bench.loop.tick();
    expect((await bench.records()).map(({ outcome }) => (outcome?.kind === 'failed' ? outcome.message : ''))).toEqual([
      ...['solver', 'profile', 'profile'],
    ]);
    expect(bench.faults.all).toMatchObject([{ step: 'decide', message: 'profile', count: 2 }]);
  });

  it.each<[string, LoopOver]>([
    ['of a baseline', { keepsPlans: false }],
    [
      'that is the best effort where none is feasible',
      {
        decide: async () => ({
          decision: {
            ...apply,
            evidence: {
              ...evidence,
              result: { kind: 'infeasible', proven: true, bindingConstraint: 'slo', fixes: {}, bestEffort: plan },
            },
          },
        }),
      },
    ],
  ])('applies a plan %s without keeping it', async (_, over) => {
    const bench = new LoopBench(over);
    await bench.loop.tick();
    expect(bench.applied).toEqual([change]);
    expect(await bench.saved()).toEqual([]);
  });

  it('looks on while a decision takes its time, and records what it was decided on in the end', async () => {
    let [looks, shown] = [0, false];
    const later = { ...observation, atMs: 2500 };
    const bench = new LoopBench({
      decide: async () => {
        await vi.advanceTimersByTimeAsync(2500);
        shown = looks === 2;
        return { decision: apply, trigger: 'burst', observation: later };
      },
      shown: () => {
        looks += 1;
        throw new Error('a source');
      },
    });
    await bench.loop.tick();
    await vi.advanceTimersByTimeAsync(5000);
    expect([shown, looks]).toEqual([true, 2]);
    expect(await bench.records()).toMatchObject([{ trigger: 'burst', observation: { atMs: 2500 } }]);
  });

  it('leaves no trace of a tick without a decision', async () => {
    const bench = new LoopBench({ decide: async () => ({}) });
    await bench.loop.tick();
    expect([bench.events, bench.applied, await bench.saved(), await bench.records()]).toEqual([[], [], [], []]);
  });

  it('goes on when it cannot even observe', async () => {
    const observe = () => {
      throw new Error('a source');
    };
    const bench = new LoopBench({ observe });
    await bench.loop.tick();
    expect(bench.events).toMatchObject([{ kind: 'failed', step: 'decide' }]);
    expect([bench.applied, await bench.saved(), await bench.records()]).toEqual([[], [], []]);
  });

  it('ticks on the grid of its interval and skips what a long tick covers', async () => {
    const bench = new LoopBench({ applyChange: () => new Promise((resolve) => setTimeout(resolve, 2500)) });
    bench.loop.start();
    await vi.advanceTimersByTimeAsync(999);
    expect(bench.decisions).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(bench.decisions).toBe(1);
    await vi.advanceTimersByTimeAsync(2999);
    expect(bench.decisions).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(bench.decisions).toBe(2);
  });

  it('plans at once for a changed question: changes before that tick count as one, and the grid begins there', async () => {
    const asked: (boolean | undefined)[] = [];
    const bench = new LoopBench({
      decide: async (_, { replans }) => {
        asked.push(replans);
        return {};
      },
    });
    bench.loop.start();
    await vi.advanceTimersByTimeAsync(1300);
    bench.loop.replan();
    bench.loop.replan();
    await vi.advanceTimersByTimeAsync(1);
    expect(asked).toEqual([undefined, true]);
    await vi.advanceTimersByTimeAsync(998);
    expect(asked).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(2);
    expect(asked).toEqual([undefined, true, undefined]);
    await bench.loop.stop();
  });

  it('plans for a changed question right after the change under way, and asks a failing planner only once', async () => {
    const asked: (boolean | undefined)[] = [];
    const bench = new LoopBench({
      decide: async ({ changing }, { replans }) => {
        if (changing) return {};
        asked.push(replans);
        if (asked.length > 1) throw new Error('solver');
        return { decision: apply, trigger: 'plan' };
      },
      applyChange: () => new Promise((resolve) => setTimeout(resolve, 2500)),
    });
    bench.loop.start();
    await vi.advanceTimersByTimeAsync(2000);
    bench.loop.replan();
    await vi.advanceTimersByTimeAsync(1499);
    expect(asked).toEqual([undefined]);
    await vi.advanceTimersByTimeAsync(2);
    expect(asked).toEqual([undefined, true]);
    await vi.advanceTimersByTimeAsync(3000);
    expect(asked.slice(2)).toEqual([undefined, undefined, undefined]);
    await bench.loop.stop();
  });

  it('plans for a question that changed while it was off once it is on again', async () => {
    let mode: ControlMode = 'off';
    const asked: (boolean | undefined)[] = [];
    const decide: LoopOver['decide'] = async (_, { replans }) => {
      asked.push(replans);
      return {};
    };
    const bench = new LoopBench({ mode: () => mode, decide });
    bench.loop.start();
    bench.loop.replan();
    await vi.advanceTimersByTimeAsync(5500);
    expect(asked).toEqual([]);
    mode = 'auto';
    await vi.advanceTimersByTimeAsync(2000);
    expect(asked).toEqual([true, undefined]);
    await bench.loop.stop();
  });

  it('goes over to another interval at once, also while a tick waits for what came before it', async () => {
    const bench = new LoopBench();
    bench.intervalMs = 60_000;
    bench.loop.intervalChanged();
    await vi.advanceTimersByTimeAsync(120_000);
    expect(bench.decisions).toBe(0);
    bench.loop.start();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(bench.decisions).toBe(1);
    const changed = bench.loop.turn(async () => {
      await new Promise((resolve) => setTimeout(resolve, 60_500));
      bench.intervalMs = 1000;
      bench.loop.intervalChanged();
    });
    await vi.advanceTimersByTimeAsync(60_500);
    await changed;
    expect(bench.decisions).toBe(2);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(bench.decisions).toBe(12);
    const seen: number[] = [];
    for (const [intervalMs, forMs] of [
      [60_000, 50_000],
      [1000, 3000],
    ] as const) {
      bench.intervalMs = intervalMs;
      bench.loop.intervalChanged();
      await vi.advanceTimersByTimeAsync(forMs);
      seen.push(bench.decisions);
    }
    expect(seen).toEqual([12, 15]);
    await bench.loop.stop();
  });

  it.each([3_600_000, -3_600_000])('keeps ticking when its clock jumps by %d ms', async (jumpMs) => {
    let offMs = 0;
    const bench = new LoopBench({ clock: { nowMs: () => Date.now() + offMs } });
    bench.loop.start();
    await vi.advanceTimersByTimeAsync(2000);
    const before = bench.decisions;
    offMs = jumpMs;
    await vi.advanceTimersByTimeAsync(4000);
    expect(bench.decisions - before).toBeGreaterThanOrEqual(3);
    expect(bench.decisions - before).toBeLessThanOrEqual(5);
    await bench.loop.stop();
  });

  it('names a source that is silent and a forecast that was passed over', async () => {
    const bench = new LoopBench({
      observe: () => ({ ...observation, staleSources: ['load'] }),
      decide: async () => ({
        decision: {
          ...{ kind: 'hold', reason: 'nothing fresh' },
          evidence: { forecast: { method: 'last-second', meanRps: 1, upperRps: 1, passedOver: ['lstm'] } },
        },
      }),
    });
    await bench.loop.tick();
    expect(bench.events).toMatchObject([
      { kind: 'failed', step: 'observe', error: { message: 'no fresh input from load' } },
      { kind: 'failed', step: 'forecast', error: { message: expect.stringContaining('lstm is no number') } },
      { kind: 'decided' },
    ]);
  });

  it('stops after the tick under way, without starting its next change', async () => {
    const bench = new LoopBench({
      decide: async () => ({ decision: { ...apply, changes: [change, change] } }),
      applyChange: () => new Promise((resolve) => setTimeout(resolve, 100)),
    });
    bench.loop.start();
    await vi.advanceTimersByTimeAsync(1000);
    const stopped = bench.loop.stop();
    await vi.advanceTimersByTimeAsync(5000);
    await stopped;
    expect(bench.applied).toHaveLength(1);
    expect(bench.decisions).toBeLessThanOrEqual(1);
    expect((await bench.records()).map(({ outcome }) => outcome)).toEqual([
      { kind: 'given-up', message: 'the server was stopped before all changes were applied' },
    ]);
  });

  it.each(['off', 'advise'] as const)('ends between two changes when it is set to %s, and says so', async (asked) => {
    let mode: ControlMode = 'auto';
    const told: Observation['lastChange'][] = [];
    const bench = new LoopBench({
      mode: () => mode,
      decide: async ({ lastChange }) => {
        told.push(lastChange);
        return told.length === 1 ? { decision: { ...apply, changes: [change, change, change] }, trigger: 'plan' } : {};
      },
      applyChange: async () => {
        mode = asked;
      },
    });
    await bench.loop.tick();
    expect(bench.applied).toHaveLength(1);
    expect(await bench.saved()).toEqual([]);
    expect(await bench.records()).toMatchObject([
      { mode: 'auto', outcome: { kind: 'given-up', message: `the mode is ${asked} now` } },
    ]);
    expect(bench.faults.all).toEqual([]);
    mode = 'auto';
    await bench.loop.tick();
    expect(told).toEqual([undefined, { kind: 'given-up', changed: [stageId('a')], unchanged: [stageId('a')] }]);
  });

  it('says whether it will carry out what is decided, and whether a person has changed something since', async () => {
    const asked: Omit<Tick, 'observation' | 'pins'>[] = [];
    let mode: 'auto' | 'advise' = 'auto';
    const bench = new LoopBench({
      mode: () => mode,
      decide: async (_, circumstances) => {
        asked.push(circumstances);
        return {};
      },
    });
    await bench.loop.tick();
    await bench.loop.turn(() =>
      bench.loop.enact(observation, apply, { trigger: 'manual', manual: { action: 'apply' } }),
    );
    mode = 'advise';
    await bench.loop.tick();
    await bench.loop.tick();
    expect(asked).toEqual([
      { executes: true, changedByHand: false },
      { executes: false, changedByHand: true },
      { executes: false, changedByHand: false },
    ]);
  });

  it('tells the next tick once how the changes before it ended, also where that tick fails at first', async () => {
    const told: Observation['lastChange'][] = [];
    const other: Change = { ...change, stageId: stageId('b') };
    let [failing, mode]: ['apply' | 'decide' | undefined, ControlMode] = [undefined, 'auto'];
    let decided: TickAnswer = { decision: { ...apply, changes: [change, other] }, trigger: 'plan' };
    const bench = new LoopBench({
      mode: () => mode,
      decide: async ({ lastChange }) => {
        told.push(lastChange);
        if (failing === 'decide') throw new Error('solver');
        if (decided.decision !== undefined && failing === undefined && told.length > 4) mode = 'advise';
        return decided;
      },
      applyChange: async () => {
        if (failing === 'apply' && bench.applied.length % 2 === 1) throw new Error('start');
      },
    });
    const [a, b] = [stageId('a'), stageId('b')];
    await bench.loop.tick();
    failing = 'apply';
    await bench.loop.tick();
    failing = 'decide';
    await bench.loop.tick();
    failing = 'apply';
    decided = {};
    await bench.loop.tick();
    await bench.loop.tick();
    expect(told).toEqual([
      undefined,
      { kind: 'applied', changed: [a, b], unchanged: [] },
      { kind: 'failed', changed: [a], unchanged: [b] },
      { kind: 'failed', changed: [a], unchanged: [b] },
      undefined,
    ]);
    failing = undefined;
    decided = { decision: apply, trigger: 'plan' };
    await bench.loop.tick();
    decided = {};
    await bench.loop.turn(() =>
      bench.loop.enact(observation, apply, { trigger: 'manual', manual: { action: 'apply' } }),
    );
    await bench.loop.tick();
    expect(told.slice(6)).toEqual([{ kind: 'given-up', changed: [], unchanged: [a] }]);
    expect((await bench.records()).map((record) => record.observation.lastChange?.kind)).toEqual([
      ...[undefined, 'applied', 'failed', undefined, undefined],
    ]);
  });

  it('decides nothing while it is off, and drops what was decided when it is switched off in between', async () => {
    let mode: 'auto' | 'off' = 'off';
    const bench = new LoopBench({
      mode: () => mode,
      decide: async () => {
        bench.decisions += 1;
        mode = 'off';
        return { decision: apply };
      },
    });
    await bench.loop.tick();
    expect([bench.decisions, await bench.records()]).toEqual([0, []]);
    mode = 'auto';
    await bench.loop.tick();
    expect([bench.decisions, bench.applied]).toEqual([1, []]);
    expect(await bench.records()).toEqual([]);
  });

  it.each(['roll-back', 'manual'] as const)(
    'keeps the plan of a %s to go on with, feasible or not',
    async (trigger) => {
      const { result: _, ...unplanned } = evidence;
      const bench = new LoopBench();
      await bench.loop.enact(observation, { ...apply, evidence: unplanned }, { trigger });
      expect(await bench.saved()).toEqual([plan]);
    },
  );

  it('goes on while the store is locked, names the fault until it is over, and keeps the plan then', async () => {
    const bench = new LoopBench();
    const refused = () => Promise.reject(new Error('another process has locked it'));
    const store = vi.spyOn(bench.memory, 'saveGoodPlan').mockImplementation(refused);
    const log = vi.spyOn(bench.memory, 'appendDecision').mockImplementation(refused);
    await bench.loop.tick();
    await bench.loop.settled();
    expect(bench.applied).toEqual([change]);
    expect(bench.faults.all).toEqual([
      { step: 'store', message: 'another process has locked it', sinceEpochMs: expect.any(Number), count: 2 },
    ]);
    for (const each of [store, log]) each.mockRestore();
    await bench.loop.tick();
    expect(await bench.saved()).toEqual([plan, plan]);
    expect(bench.faults.all).toEqual([]);
    expect(bench.kinds).toContain('recovered');
  });

  it('saves no older plan over a newer one whose save waited behind the failed one', async () => {
    const planFor = (rps: number) => ({ ...plan, predicted: { ...plan.predicted, capacityRps: rps } });
    const bench: LoopBench = new LoopBench({
      decide: async () => {
        bench.decisions += 1;
        return bench.decisions > 2 ? {} : { decision: { ...apply, plan: planFor(bench.decisions) }, trigger: 'plan' };
      },
    });
    let fail: (error: Error) => void = () => {};
    vi.spyOn(bench.memory, 'saveGoodPlan').mockImplementationOnce(
      () => new Promise((_, reject) => (fail = reject)) as Promise<void>,
    );
    await bench.loop.tick();
    await bench.loop.tick();
    fail(new Error('another process has locked it'));
    await bench.loop.settled();
    await bench.loop.tick();
    expect(await bench.saved()).toEqual([planFor(2)]);
  });

  it('adds to each decision what was seen until the plan changed, or for a minute, at first after ten seconds', async () => {
    const hold: Decision = { kind: 'hold', reason: 'good as it is', evidence };
    let decision: Decision = hold;
    const bench = new LoopBench({ decide: async () => ({ decision }) });
    await bench.loop.tick();
    await vi.advanceTimersByTimeAsync(7500);
    decision = apply;
    await bench.loop.tick();
    const [held, applied] = await bench.records();
    expect(held?.observed).toEqual({
      ...{ windowMs: 7000, arrivalRps: 10, completed: 70, failed: 0, dropped: 0, sloAttainmentFraction: 0.9 },
      latencyMs: { p50: expect.closeTo(20, 0), atPercentile: expect.closeTo(20, 0) },
    });
    expect(applied?.observed).toBeUndefined();
    decision = hold;
    for (const [afterMs, windowMs] of [
      [9000, undefined],
      [1000, 10_000],
      [49_000, 10_000],
      [1000, 60_000],
    ] as const) {
      await vi.advanceTimersByTimeAsync(afterMs);
      await bench.loop.tick();
      expect((await bench.records())[1]?.observed?.windowMs).toBe(windowMs);
    }
    await vi.advanceTimersByTimeAsync(2000);
    await bench.loop.stop();
    const windows = (await bench.records()).map(({ observed }) => observed?.windowMs);
    expect(windows).toEqual([7000, 60_000, 53_000, 52_000, 3000, 2000]);
  });
});
