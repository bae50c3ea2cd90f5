import { describe, expect, it } from 'vitest';
import { stageId, variantId } from '../model/ids.js';
import { planOf } from '../model/spec-builders.test-support.js';
import { type ControllerState, newController } from './controller-state.js';
import { afterAdvice, afterAdvising, afterHandChange, ControlSession } from './session.js';
import { observe, rulesFor, running, spec, steady } from './step-bench.test-support.js';

const point = { stageId: stageId('detect'), variantId: variantId('small'), cpuCores: 1 };
const edges = { memories: [], inForce: [] };
const busy: ControllerState = {
  ...newController,
  edges,
  service: { measured: [], corrections: [{ ...point, batchSize: 1, factor: 1.5 }] },
  nextPlanAtMs: 20_000,
  planned: { arrivalRps: 10 },
  appliedAtMs: [5000],
  switches: [{ stageId: stageId('detect'), atMs: 5000 }],
  trial: {
    before: planOf(spec, { maxBatchSize: 1, replicas: 1 }),
    beforeLoad: { arrivalRps: 9 },
    sinceMs: 5000,
    missedAtStart: 0,
  },
  backOff: { untilMs: 60_000, failures: 1 },
};

describe('advice', () => {
  it('leaves what was learned and when the next plan is due, and nothing of changes', () => {
    const before: ControllerState = { ...newController, planned: { arrivalRps: 3 } };
    const after = afterAdvice(before, busy);
    const { learning, service } = busy;
    expect(after).toEqual({ ...before, learning, service, edges, nextPlanAtMs: 20_000, planned: busy.planned });
  });

  it('is followed by a plan, and by no answer to a burst before, where changes are carried out again', () => {
    const { planned: _, ...rest } = busy;
    expect(afterAdvising(busy, 7000)).toEqual({ ...rest, nextPlanAtMs: 7000 });
  });
});

describe('a change by hand', () => {
  it('ends the trial of what the loop did last, and nothing else', () => {
    const { trial: _, ...rest } = busy;
    expect(afterHandChange(busy)).toEqual(rest);
  });

  it('ends that of what runs while a change is under way, too: a change that fails leaves no trial behind', () => {
    const beforeChange = { appliedAtMs: [], switches: [] };
    const { trial, ...rest } = busy;
    const changing = { ...busy, beforeChange: { ...beforeChange, ...(trial && { trial }) } };
    expect(trial).toBeDefined();
    expect(afterHandChange(changing)).toEqual({ ...rest, beforeChange });
  });
});

describe('a session', () => {
  it('forgets a tick that a person has preempted: the next one decides the same', () => {
    const session = new ControlSession(rulesFor(spec));
    session.tick({ observation: observe(1, { counts: steady(30), running: running(1) }), executes: true });
    const tick = { observation: observe(10, { counts: steady(30), running: running(1) }), executes: true };
    const first = session.tick(tick);
    expect(first.decision?.kind).toBe('apply');
    session.forgetTick();
    expect(session.tick(tick)).toEqual(first);
  });

  it('plans before its time for a changed question, and an interval later again', () => {
    const session = new ControlSession(rulesFor(spec));
    const plans = (atS: number, asked: { readonly replans?: true } = {}) => {
      const observation = observe(atS, { counts: steady(30), running: running(2) });
      return session.tick({ observation, executes: true, ...asked }).decision !== undefined;
    };
    expect([plans(1), plans(10), plans(13), plans(14, { replans: true }), plans(15)]).toEqual([
      ...[false, true, false, true, false],
    ]);
    expect([plans(20), plans(23), plans(24)]).toEqual([false, false, true]);
  });

  it('plans for a changed question after a change under way', () => {
    const session = new ControlSession(rulesFor(spec));
    const observation = observe(1, { counts: steady(30), running: running(2) });
    session.tick({ observation, executes: true });
    const during = session.tick({
      observation: { ...observation, atMs: 2000, changing: true },
      executes: true,
      replans: true,
    });
    const after = session.tick({ observation: { ...observation, atMs: 3000 }, executes: true });
    expect([during.decision, after.decision?.kind]).toEqual([undefined, expect.any(String)]);
  });

  it('gives a snapshot again that a forgotten tick had', () => {
    const session = new ControlSession(rulesFor(spec));
    const at = (atS: number) => ({ observation: observe(atS, { counts: [], running: running(1) }), executes: true });
    session.tick(at(1));
    const { kept } = session.tick(at(700));
    session.forgetTick();
    expect(kept).toHaveProperty('service');
    expect(session.tick(at(701)).kept).toEqual(kept);
  });

  it('takes a step again on a later observation with a burst, once, with the facts that were told once', () => {
    const rules = rulesFor(spec);
    const session = new ControlSession(rules);
    session.tick({ observation: observe(1, { counts: steady(20), running: running(2) }), executes: true });
    session.tick({ observation: observe(10, { counts: steady(20), running: running(2) }), executes: true });
    const lastChange = { kind: 'applied', changed: [], unchanged: [] } as const;
    const first = { ...observe(20, { counts: steady(10), running: running(2) }), lastChange };
    const burst = observe(20.5, { counts: [...steady(10), 200], running: running(2) });
    const answer = session.tick({ observation: first, executes: true }, () => burst);
    expect(answer).toMatchObject({ trigger: 'burst', observation: { ...burst, lastChange } });
  });

  it('passes a defect of the planner on', () => {
    const failing = { ...rulesFor(spec), verifierAt: () => () => expect.fail('verifier') };
    const session = new ControlSession(failing);
    session.tick({ observation: observe(1, { counts: steady(30), running: running(1) }), executes: true });
    const tick = { observation: observe(10, { counts: steady(30), running: running(1) }), executes: true };
    expect(() => session.tick(tick)).toThrow('verifier');
  });
});
