import { type Change, type ControlMode, type Observation, stageId } from '@equipoise/core/model';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { apply, change, evidence, LoopBench, type LoopOver, observation, plan } from './control-loop.test-support.js';

describe('ControlLoop while changes are carried out', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const other: Change = { ...change, stageId: stageId('b') };
  const observe = () => ({ ...observation, atMs: Date.now() });

  /** A plan of two changes. The first change lasts until it is preempted; the second observation shows a burst. */
  function interrupted(over: LoopOver = {}) {
    const seen: boolean[] = [];
    const told: Observation['lastChange'][] = [];
    let preempt = (): void => {};
    const bench: LoopBench = new LoopBench({
      observe,
      decide: async ({ changing = false, lastChange }) => {
        seen.push(changing);
        told.push(lastChange);
        if (!changing) return seen.length === 1 ? { decision: { ...apply, changes: [change, change] } } : {};
        return seen.length < 3 ? {} : { decision: { ...apply, changes: [other] }, trigger: 'burst' };
      },
      applyChange: () =>
        bench.applied.length > 0
          ? Promise.resolve()
          : new Promise((resolve) => {
              preempt = resolve;
            }),
      preempt: () => preempt(),
      ...over,
    });
    return { bench, seen, told };
  }

  it('looks on, and answers a burst in place of the rest of them', async () => {
    const { bench, seen, told } = interrupted();
    const startedAtMs = Date.now();
    const ticked = bench.loop.tick();
    await vi.advanceTimersByTimeAsync(2000);
    await ticked;
    expect([seen, bench.applied]).toEqual([
      [false, true, true],
      [change, other],
    ]);
    expect(await bench.records()).toMatchObject([
      { outcome: { kind: 'given-up', message: 'the answer to a burst or a rise replaced it' } },
      { trigger: 'burst', observation: { atMs: startedAtMs + 2000, changing: true }, outcome: { kind: 'applied' } },
    ]);
    expect(bench.faults.all).toEqual([]);
    await bench.loop.tick();
    expect(told.at(-1)).toEqual({ kind: 'applied', changed: [stageId('b')], unchanged: [] });
    await vi.advanceTimersByTimeAsync(5000);
    expect(seen).toHaveLength(4);
  });

  it('answers one, too, whose answer comes when they have ended', async () => {
    let looks = 0;
    const { bench } = interrupted({
      decide: async ({ changing }) => {
        if (!changing) return { decision: apply };
        if (looks++ > 0) return {};
        await new Promise((resolve) => setTimeout(resolve, 900));
        return { decision: { ...apply, changes: [other] }, trigger: 'burst' };
      },
      applyChange: () => new Promise((resolve) => setTimeout(resolve, 1500)),
    });
    const ticked = bench.loop.tick();
    await vi.advanceTimersByTimeAsync(5000);
    await ticked;
    expect((await bench.records()).map(({ trigger, outcome }) => [trigger, outcome?.kind])).toEqual([
      [undefined, 'applied'],
      ['burst', 'applied'],
    ]);
  });

  it('does not look on while a person changes something', async () => {
    for (const mode of ['advise', 'auto'] satisfies ControlMode[]) {
      const applyChange = (): Promise<void> => new Promise((end) => setTimeout(end, 3500));
      const { bench, seen } = interrupted({ mode: () => mode, applyChange });
      const done = bench.loop.turn(() => bench.loop.enact(observation, apply, { trigger: 'manual' }));
      await vi.advanceTimersByTimeAsync(4000);
      await done;
      expect(seen).toEqual([]);
    }
  });

  it('goes on where a look fails', async () => {
    const { bench } = interrupted({
      decide: async ({ changing }) => {
        if (changing) throw new Error('solver');
        return { decision: apply };
      },
      applyChange: () => new Promise((end) => setTimeout(end, 2500)),
    });
    const ticked = bench.loop.tick();
    await vi.advanceTimersByTimeAsync(3000);
    await ticked;
    expect((await bench.records()).map(({ outcome }) => outcome?.kind)).toEqual(['applied']);
    expect(bench.faults.all).toEqual([]);
  });

  it.each([
    ['burst', 'burst', {}],
    ['rise', 'plan', { rise: 'held-up' }],
  ] as const)(
    'keeps the answer to a %s to come back with after a kill, and not as a plan to go back to',
    async (...[, trigger, found]) => {
      const { result: _, ...rest } = evidence;
      const unplanned = { ...rest, ...found };
      const answer = { ...plan, predicted: { ...plan.predicted, capacityRps: 9 } };
      const bench: LoopBench = new LoopBench({
        decide: async () => {
          bench.decisions += 1;
          return bench.decisions === 1
            ? { decision: apply, trigger: 'plan' }
            : { decision: { ...apply, plan: answer, evidence: unplanned }, trigger };
        },
      });
      const inForce = async () => (await bench.memory.kept('p', 'in-force')) as { readonly plan: unknown } | undefined;
      await bench.loop.tick();
      expect([await bench.saved(), (await inForce())?.plan]).toEqual([[plan], plan]);
      await bench.loop.tick();
      expect([await bench.saved(), (await inForce())?.plan]).toEqual([[plan], answer]);
    },
  );
});
