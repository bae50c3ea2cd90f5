/** A person preempts planning and changes of the loop. */
import type { TickAnswer } from '@equipoise/core/control';
import type { ControlMode } from '@equipoise/core/model';
import { describe, expect, it } from 'vitest';
import { apply, type Circumstances, LoopBench } from './control-loop.test-support.js';

/** A planner that answers on demand. */
function heldPlanner() {
  const asked: Circumstances[] = [];
  let answer: (answer: TickAnswer) => void = () => {};
  return {
    asked,
    answer: (of: TickAnswer) => answer(of),
    decide: (_: unknown, circumstances: Circumstances) => {
      asked.push(circumstances);
      return new Promise<TickAnswer>((resolve) => {
        answer = resolve;
      });
    },
    /** Resolves once the planner is asked. */
    async isAsked(times = 1) {
      while (asked.length < times) await Promise.resolve();
    },
  };
}

describe('a plan that is being made', () => {
  it('is not waited for: a turn comes at once, and the plan leaves no trace', async () => {
    const planner = heldPlanner();
    const { decide } = planner;
    const bench = new LoopBench({ decide });
    const ticking = bench.loop.tick();
    await planner.isAsked();
    expect(bench.loop.preempt()).toBe(false);
    expect(await bench.loop.turn(async () => 'by hand')).toBe('by hand');
    await ticking;
    planner.answer({ decision: apply, trigger: 'plan' });
    await bench.loop.settled();
    expect(bench.planner.preempted).toBe(1);
    expect([bench.applied, bench.kinds, await bench.records(), bench.faults.all]).toEqual([[], [], [], []]);
  });

  it('is not begun while a person waits for a turn', async () => {
    const planner = heldPlanner();
    const { decide } = planner;
    const bench = new LoopBench({ decide });
    let end = () => {};
    const first = bench.loop.turn(() => new Promise<void>((resolve) => (end = resolve)));
    const ticking = bench.loop.tick();
    await Promise.resolve();
    bench.loop.preempt();
    const second = bench.loop.turn(async () => 'by hand');
    end();
    await first;
    expect(await second).toBe('by hand');
    await ticking;
    expect(planner.asked).toEqual([]);
    void bench.loop.tick();
    await planner.isAsked();
  });

  it('is told of a change by hand at the next tick, if it was preempted at this one', async () => {
    const planner = heldPlanner();
    const { decide } = planner;
    const bench = new LoopBench({ decide });
    await bench.loop.enact({ ...bench.seen }, apply, { trigger: 'manual', manual: { action: 'apply' } });
    const first = bench.loop.tick();
    await planner.isAsked();
    bench.loop.preemptPlan();
    await first;
    const second = bench.loop.tick();
    await planner.isAsked(2);
    planner.answer({});
    await second;
    expect(planner.asked.map(({ changedByHand }) => changedByHand)).toEqual([true, true]);
  });

  it('is made again for a changed question, which stays asked until a plan answers it', async () => {
    const planner = heldPlanner();
    const { decide } = planner;
    const bench = new LoopBench({ decide });
    bench.loop.replan();
    const first = bench.loop.tick();
    await planner.isAsked();
    bench.loop.preemptPlan();
    await first;
    for (const times of [2, 3]) {
      const next = bench.loop.tick();
      await planner.isAsked(times);
      planner.answer({});
      await next;
    }
    expect(planner.asked.map(({ replans }) => replans)).toEqual([true, true, undefined]);
  });

  it('is no decision to act once the mode is off', async () => {
    const planner = heldPlanner();
    let mode: ControlMode = 'auto';
    const { decide } = planner;
    const bench = new LoopBench({ decide, mode: () => mode });
    const ticking = bench.loop.tick();
    await planner.isAsked();
    mode = 'off';
    planner.answer({ decision: apply, trigger: 'plan' });
    await ticking;
    expect([bench.applied, bench.kinds, await bench.records()]).toEqual([[], [], []]);
  });
});

it('changes of the loop that a person preempts give way, and what is left of them is given up', async () => {
  let end: () => void = () => {};
  let mode: ControlMode = 'auto';
  const bench = new LoopBench({
    mode: () => mode,
    applyChange: () =>
      new Promise((resolve) => {
        end = resolve;
      }),
    preempt: () => end(),
  });
  const ticking = bench.loop.tick();
  while (bench.kinds.length === 0) await Promise.resolve();
  mode = 'advise';
  expect(bench.loop.preempt()).toBe(true);
  await bench.loop.turn(async () => {});
  await ticking;
  expect(await bench.records()).toMatchObject([
    { decision: { kind: 'apply' }, outcome: { kind: 'given-up', message: 'the mode is advise now' } },
  ]);
  expect(bench.kinds).toEqual(['decided']);
});
