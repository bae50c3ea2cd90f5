import { describe, expect, it } from 'vitest';
import type { Observation } from '../model/decision.js';
import { variantId } from '../model/ids.js';
import { planOf } from '../model/spec-builders.test-support.js';
import { type ControllerState, newController } from './controller-state.js';
import { controlPolicies, usualGuardrails } from './rules.js';
import { controlStep, trainBetweenTicks } from './step.js';
import { detect, observe, plannedFor, rulesFor, running, spec, steady } from './step-bench.test-support.js';

describe('controlStep', () => {
  const rules = rulesFor(spec);

  it('plans on the grid of the slow interval and is silent between as long as nothing happens', () => {
    let state = newController;
    const planned: number[] = [];
    for (let atS = 1; atS <= 35; atS++) {
      const step = controlStep(rules, state, observe(atS, { counts: steady(20, atS), running: running(3) }));
      state = step.state;
      if (step.decision !== undefined) planned.push(atS);
    }
    expect(planned).toEqual([10, 20, 30]);
  });

  it('adds replicas within a second of a burst, says why, and not again for the same burst', () => {
    const state = plannedFor(rules, 20, running(3));
    const seen = { counts: [...steady(20), 100], running: running(3) };
    const { decision, state: after } = controlStep(rules, state, observe(131, seen));
    expect(decision).toMatchObject({
      kind: 'apply',
      changes: [{ kind: 'scale' }],
      evidence: { burst: { arrivals: 100 } },
    });
    const replicas = (decision?.kind === 'apply' && decision.plan.stages[detect]?.[0]?.replicas) || 0;
    expect(replicas).toBeGreaterThanOrEqual(7);
    expect(replicas).toBeLessThanOrEqual(12);
    expect(after.switches).toEqual([]);
    expect(after.planned?.arrivalRps).toBeGreaterThan(100);
    const goesOn = { counts: [...steady(20), 100, 100], running: running(replicas) };
    expect(controlStep(rules, after, observe(132, goesOn)).decision).toBeUndefined();
    const grows = { counts: [...steady(20), 100, 260], running: running(replicas) };
    expect(controlStep(rules, after, observe(132, grows)).decision).toMatchObject({ kind: 'apply' });
  });

  it('plans for at least an announced rate until the traffic shows the load', () => {
    const upperRps = (announced: Observation['announced'], rps = 1) => {
      const observation = observe(130, { counts: steady(rps), running: running(3) });
      const state = { ...newController, nextPlanAtMs: 130_000 };
      const { decision } = controlStep(rules, state, { ...observation, ...(announced && { announced }) });
      return decision?.evidence.forecast.upperRps ?? 0;
    };
    const announced = { arrivalRps: 50, sinceMs: 60_000 };
    expect(upperRps(undefined)).toBeLessThan(10);
    expect(upperRps(announced)).toBe(50);
    expect(upperRps({ ...announced, firstArrivalAtMs: 71_000 })).toBe(50);
    expect(upperRps({ ...announced, firstArrivalAtMs: 70_000 })).toBeLessThan(10);
    expect(upperRps({ ...announced, sinceMs: -470_000 })).toBeLessThan(10);
    expect(upperRps(announced, 90)).toBeGreaterThanOrEqual(90);
  });

  it('plans robustly in both loops, and names the factor in every decision', () => {
    const robust = rulesFor({ ...spec, robustness: { serviceFactor: 2 } });
    const replicasFor = (of: typeof rules, counts: readonly number[], atS: number) => {
      const seen = { counts, running: running(3) };
      const { decision } = controlStep(of, plannedFor(of, 20, running(3)), observe(atS, seen));
      expect(decision?.evidence.robustness).toEqual(of.spec.robustness);
      return (decision?.kind === 'apply' && decision.plan.stages[detect]?.[0]?.replicas) || 0;
    };
    for (const [counts, atS] of [[steady(60), 140] as const, [[...steady(20), 100], 131] as const]) {
      const nominal = replicasFor(rules, counts, atS);
      expect(replicasFor(robust, counts, atS)).toBeGreaterThan(1.5 * nominal);
      expect(nominal).toBeGreaterThan(3);
    }
  });

  it('continues a search that a limit ended as long as the load is the same, up to five plans', () => {
    const limits: (number | undefined)[] = [];
    const { policy } = rules;
    const searching = rulesFor(spec, {
      policy: {
        ...policy,
        plan: (problem, verify) => {
          limits.push(problem.workLimit);
          const result = policy.plan(problem, verify);
          const search = { simulated: 1, looked: 1, exhausted: problem.arrivalRps < 30, skippedByEstimate: 0 };
          return result.kind === 'feasible' ? { ...result, certificate: { ...result.certificate, search } } : result;
        },
      },
    });
    const limitsAt = (state: ControllerState, rps: number, atS: number) => {
      limits.length = 0;
      const step = controlStep(
        searching,
        { ...state, nextPlanAtMs: atS * 1000 },
        observe(atS, { counts: steady(rps), running: running(3) }),
      );
      return { state: step.state, most: Math.max(0, ...limits.map((limit) => limit ?? 0)) };
    };
    let state: ControllerState = newController;
    const most: number[] = [];
    for (let tick = 0; tick < 6; tick++) {
      const asked = limitsAt(state, 40, 130 + 10 * tick);
      most.push(asked.most);
      state = asked.state;
    }
    expect(most).toEqual([24, 48, 72, 96, 120, 0]);
    const other = limitsAt(state, 20, 200);
    expect(other.most).toBe(24);
    expect(other.state.search).toBeUndefined();
  });

  it('does nothing for what came before the load fell, when that was planned for', () => {
    const fallen = observe(142, { counts: [...steady(40), 5, 5], running: running(1) });
    const state = { ...plannedFor(rules, 5, running(1)), nextPlanAtMs: 150_000 };
    const knowing = [40, 5].map((arrivalRps, index) => ({ atMs: 130_000 + 10_000 * index, arrivalRps }));
    expect(controlStep(rules, { ...state, plannedRates: knowing }, fallen).decision).toBeUndefined();
    const { plannedRates: _, ...unknowing } = state;
    expect(controlStep(rules, unknowing, fallen).decision).toMatchObject({ kind: 'apply' });
    const again = observe(143, { counts: [...steady(40), 5, 5, 30], running: running(1) });
    expect(controlStep(rules, { ...state, plannedRates: knowing }, again).decision).toMatchObject({ kind: 'apply' });
  });

  it('does not take the answer to a burst back at the next plan, but when it is over', () => {
    const burst = { counts: [...steady(20), 100], running: running(2) };
    const state = { ...plannedFor(rules, 20, running(2)), nextPlanAtMs: 132_000 };
    const answered = controlStep(rules, state, observe(131, burst));
    const grown = answered.decision?.kind === 'apply' ? (answered.decision.plan.stages[detect]?.[0]?.replicas ?? 0) : 0;
    expect(grown).toBeGreaterThan(4);
    const timid = rulesFor(spec, { forecaster: () => ({ method: 'timid', meanRps: 20, upperRps: 25 }) });
    const soon = observe(132, { counts: [...steady(20), 100, 100], running: running(grown) });
    expect(controlStep(timid, answered.state, soon).decision).toMatchObject({ kind: 'hold' });
    const later = { ...answered.state, nextPlanAtMs: 142_000 };
    const calm = observe(142, { counts: [...steady(20), 100, 20, 20], running: running(grown) });
    expect(controlStep(timid, later, calm).decision).toMatchObject({ kind: 'apply', changes: [{ kind: 'scale' }] });
  });

  it('protects before its first plan, against what runs cannot carry', () => {
    const state = { ...newController, nextPlanAtMs: 140_000 };
    const seen = (counts: readonly number[]) => observe(131, { counts, running: running(3) });
    expect(controlStep(rules, state, seen(steady(40))).decision).toBeUndefined();
    expect(controlStep(rules, state, seen([...steady(20), 150])).decision).toMatchObject({ kind: 'apply' });
  });

  it.each(['failed', 'given-up'] as const)('counts a change that has %s as none and plans anew', (kind) => {
    const state = { ...plannedFor(rules, 20, running(3)), nextPlanAtMs: 140_000 };
    const burst = { counts: [...steady(20), 150], running: running(3) };
    const answered = controlStep(rules, state, observe(131, burst));
    expect(answered.state.appliedAtMs).toHaveLength(state.appliedAtMs.length + 1);
    const lastChange = { kind, changed: [], unchanged: [detect] };
    const next = controlStep(rules, answered.state, {
      ...observe(150, { counts: [...burst.counts, ...steady(150, 19)], running: running(3) }),
      lastChange,
    });
    // The loop still sees the burst and answers again.
    expect(next.decision).toMatchObject({ kind: 'apply', reason: expect.stringContaining('arrivals in') });
    expect(next.state.appliedAtMs).toEqual([...state.appliedAtMs, 150_000]);
    expect(next.state.backOff?.failures).toBe(kind === 'failed' ? 1 : undefined);
    expect(next.state.nextPlanAtMs).toBe(150_000);
  });

  it('answers a burst first where a plan is due, too, and plans at the next tick', () => {
    const state = plannedFor(rules, 20, running(3));
    const step = controlStep(rules, state, observe(140, { counts: [...steady(20), 100], running: running(3) }));
    expect(step.decision).toMatchObject({ kind: 'apply', evidence: { burst: { arrivals: 100 } } });
    const after = controlStep(
      rules,
      step.state,
      observe(141, { counts: [...steady(20), 100, 100], running: running(9) }),
    );
    expect(after.decision?.evidence).toMatchObject({ result: { kind: 'feasible' } });
    expect(after.state.nextPlanAtMs).toBe(150_000);
    const without = rulesFor(spec, { policy: { ...controlPolicies.equipoise, protects: false } });
    const due = { ...state, nextPlanAtMs: 140_000 };
    const seen = observe(140, { counts: [...steady(20), 100], running: running(3) });
    expect(controlStep(without, due, seen).decision?.evidence.burst).toBeUndefined();
  });

  it('switches to a cheaper variant where the budget has no room, and gives no replica away', () => {
    const tight = rulesFor({ ...spec, budget: { cpuCores: 3 }, objective: { kind: 'max-accuracy' } });
    const state = plannedFor(tight, 20, running(3));
    const { decision } = controlStep(tight, state, observe(131, { counts: [...steady(20), 100], running: running(3) }));
    expect(decision).toMatchObject({
      kind: 'apply',
      changes: [{ kind: 'switch-variant', to: { variantId: 'small' } }],
    });
  });

  it('takes no replica away in a burst that what runs can carry, and adds none', () => {
    const state = plannedFor(rules, 20, running(3));
    const seen = { counts: [...steady(20), 100], running: running(14) };
    expect(controlStep(rules, state, observe(131, seen)).decision).toBeUndefined();
  });

  it.each([
    ['small', 'large', { kind: 'max-accuracy' }],
    ['large', 'small', { kind: 'min-cost', accuracyFloor: 0 }],
  ] as const)('switches to the variant %s that a person has pinned, worth it or not', (pinned, runs, objective) => {
    const stages = spec.stages.map((stage) => ({ ...stage, pins: { variantId: variantId(pinned) } }));
    const rules = rulesFor({ ...spec, stages, objective });
    const switched = { kind: 'apply', changes: [{ kind: 'switch-variant', to: { variantId: pinned } }] };
    const due = { ...plannedFor(rules, 20, running(3, runs)), nextPlanAtMs: 140_000 };
    const switches = [{ stageId: detect, atMs: 139_000 }];
    const seen = observe(140, { counts: steady(20), running: running(3, runs) });
    const { decision } = controlStep(rules, { ...due, switches }, seen);
    expect(decision).toMatchObject({ ...switched, evidence: { necessary: true } });
    expect(decision?.evidence.passedOver).toBeUndefined();
    const burst = observe(131, { counts: [...steady(20), 100], running: running(3, runs) });
    const answered = controlStep(rules, { ...due, nextPlanAtMs: 140_000 }, burst).decision;
    expect(answered).toMatchObject(switched);
  });

  it('switches variants only where that brings more than the best plan without a switch', () => {
    const free = { ...spec, objective: { kind: 'min-cost', accuracyFloor: 0.5 } } as const;
    const state = { ...newController, nextPlanAtMs: 130_000 };
    const seen = observe(130, { counts: steady(20), running: running(4) });
    const demanding = (leastSwitchSavingFraction: number) =>
      controlStep(rulesFor(free, { guardrails: { ...usualGuardrails, leastSwitchSavingFraction } }), state, seen)
        .decision;
    expect(demanding(0.1)).toMatchObject({
      kind: 'apply',
      changes: [{ kind: 'switch-variant', to: { variantId: 'small' } }],
    });
    const improved = { stageId: detect, atMs: -900_000 };
    const undone = [improved, { stageId: detect, atMs: -800_000, necessary: true } as const];
    const before = (atMs: number) => ({ ...state, switches: undone, plannedRates: [{ atMs, arrivalRps: 40 }] });
    const falling = { ...before(80_000), switches: [improved] };
    expect(controlStep(rulesFor(free), falling, seen).decision).toMatchObject({
      changes: [{ kind: 'switch-variant' }],
    });
    const dipping = controlStep(rulesFor(free), before(80_000), seen).decision;
    expect(dipping?.evidence.passedOver?.reason).toBe('a minute ago 40.0 rps were planned for');
    expect(controlStep(rulesFor(free), before(60_000), seen).decision).toMatchObject({
      changes: [{ kind: 'switch-variant' }],
    });
    const switches = [{ stageId: detect, atMs: 111_000 }];
    const resting = controlStep(rulesFor(free), { ...state, switches }, seen).decision;
    expect(resting?.kind === 'apply' ? resting.changes.map(({ kind }) => kind) : []).not.toContain('switch-variant');
    const kept = demanding(0.9);
    expect(kept?.kind === 'apply' ? kept.changes.map(({ kind }) => kind) : []).not.toContain('switch-variant');
    const bursting = observe(131, { counts: [...steady(20), 100], running: running(4) });
    const { decision } = controlStep(rulesFor(free), plannedFor(rulesFor(free), 20, running(4)), bursting);
    expect(decision).toMatchObject({ kind: 'apply', changes: [{ kind: 'scale', to: { variantId: 'large' } }] });
  });

  it('never exceeds the budget', () => {
    const small = rulesFor({ ...spec, budget: { cpuCores: 6 } });
    const state = plannedFor(small, 20, running(3));
    const { decision } = controlStep(small, state, observe(131, { counts: [...steady(20), 600], running: running(3) }));
    expect(decision?.kind === 'apply' && decision.plan.predicted.cpuCores).toBeLessThanOrEqual(6);
  });

  it('keeps the accuracy floor where the upper rate or a burst is out of reach', () => {
    const tight = rulesFor(
      { ...spec, budget: { cpuCores: 4 } },
      { forecaster: () => ({ method: 'told', meanRps: 40, upperRps: 120 }) },
    );
    const state = { ...newController, nextPlanAtMs: 130_000 };
    const slow = controlStep(tight, state, observe(130, { counts: steady(40), running: running(2) }));
    expect(slow.decision).toMatchObject({ kind: 'apply', evidence: { result: { kind: 'feasible' } } });
    const variants = (decision: typeof slow.decision) =>
      decision?.kind === 'apply' ? decision.plan.stages[detect]?.map(({ variantId: id }) => id) : [];
    expect(variants(slow.decision)).toEqual(['large']);
    const fast = controlStep(tight, slow.state, observe(131, { counts: [...steady(40), 300], running: running(3) }));
    expect(variants(fast.decision)).toEqual(['large']);
  });

  it('keeps the accuracy floor and all that the budget can carry there where even the expected rate is out of reach', () => {
    const tight = rulesFor({ ...spec, budget: { cpuCores: 4 } });
    const state = { ...newController, nextPlanAtMs: 130_000, planned: { arrivalRps: 300 } };
    const { decision } = controlStep(tight, state, observe(130, { counts: steady(200), running: running(2) }));
    expect(decision).toMatchObject({
      kind: 'apply',
      plan: { stages: { [detect]: [{ variantId: 'large', replicas: 4 }] } },
      reason: expect.stringContaining('nothing meets the SLO'),
      evidence: { necessary: true, result: { kind: 'infeasible' } },
    });
    const more = { ...state, nextPlanAtMs: 140_000 };
    expect(
      controlStep(tight, more, observe(140, { counts: steady(300), running: running(4) })).decision?.reason,
    ).toContain('as much as the budget can');
  });

  it('takes nothing away on stale input, in either loop, and answers a burst in what is fresh with more of what runs', () => {
    const stale = ['router 2'];
    const calm = { counts: steady(2), running: running(20), stale };
    expect(controlStep(rules, plannedFor(rules, 100, running(20)), observe(140, calm)).decision).toMatchObject({
      kind: 'hold',
      reason: 'no fresh input from router 2',
    });
    const burst = { counts: [...steady(20), 100], running: running(3), stale };
    const state = plannedFor(rules, 20, running(3));
    const grown = controlStep(rules, state, observe(131, burst));
    expect(grown.decision).toMatchObject({ kind: 'apply', changes: [{ kind: 'scale', to: { variantId: 'large' } }] });
    const silent = { counts: [...steady(20), 0], running: running(3), stale };
    expect(controlStep(rules, state, observe(131, silent)).decision).toBeUndefined();
    const tight = rulesFor({ ...spec, budget: { cpuCores: 3 }, objective: { kind: 'max-accuracy' } });
    expect(controlStep(tight, plannedFor(tight, 20, running(3)), observe(131, burst)).decision).toBeUndefined();
  });

  it('goes down in steps of at most half the replicas', () => {
    const state = { ...newController, nextPlanAtMs: 130_000 };
    const { decision } = controlStep(rules, state, observe(130, { counts: steady(2), running: running(20) }));
    expect(decision).toMatchObject({
      kind: 'apply',
      plan: { stages: { [detect]: [{ replicas: 10 }] }, predicted: { cpuCores: 10 } },
    });
  });

  it('puts improvements off after many changes in an hour, and nothing that is necessary', () => {
    const few = rulesFor(spec, { guardrails: { ...usualGuardrails, mostChangesPerHour: 2 } });
    const state = { ...newController, nextPlanAtMs: 130_000, appliedAtMs: [1000, 120_000] };
    const down = controlStep(few, state, observe(130, { counts: steady(2), running: running(20) }));
    expect(down.decision).toMatchObject({
      kind: 'hold',
      reason: expect.stringContaining('2 changes in the last hour'),
    });
    const up = controlStep(few, state, observe(130, { counts: steady(100), running: running(3) }));
    expect(up.decision).toMatchObject({ kind: 'apply', evidence: { necessary: true } });
    const later = { ...state, nextPlanAtMs: 3_610_000 };
    expect(controlStep(few, later, observe(3610, { counts: steady(2), running: running(20) })).decision).toMatchObject({
      kind: 'apply',
    });
  });

  it('asks the more of an improvement the fewer changes are left in the hour', () => {
    const made = (count: number) => Array.from({ length: count }, (_, i) => 1000 * i);
    const down = (count: number, replicas: number) =>
      controlStep(
        rulesFor(spec),
        { ...newController, nextPlanAtMs: 130_000, appliedAtMs: made(count) },
        observe(130, { counts: steady(100), running: running(replicas) }),
      ).decision;
    const first = down(0, 12);
    const needed = (first?.kind === 'apply' && first.plan.stages[detect]?.[0]?.replicas) || 0;
    expect(needed).toBeGreaterThan(5);
    const [oneMore, twice] = [needed + 1, 2 * needed];
    expect(down(10, oneMore)).toMatchObject({ kind: 'apply', evidence: { necessary: false } });
    expect(down(55, oneMore)).toMatchObject({ kind: 'hold', reason: expect.stringContaining('gains too little') });
    expect(down(55, twice)).toMatchObject({ kind: 'apply', evidence: { necessary: false } });
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, -3])(
    'plans by the last second where the forecaster says %d',
    (upperRps) => {
      const broken = rulesFor(spec, { forecaster: () => ({ method: 'broken', meanRps: 5, upperRps }) });
      const state = { ...newController, nextPlanAtMs: 130_000 };
      const { decision } = controlStep(broken, state, observe(130, { counts: steady(20), running: running(3) }));
      expect(decision?.evidence.forecast).toEqual({
        ...{ method: 'last-second', meanRps: 20, upperRps: 20 },
        passedOver: ['broken'],
      });
    },
  );

  it('does not follow a forecast that runs away', () => {
    const wild = rulesFor(spec, { forecaster: () => ({ method: 'wild', meanRps: 20, upperRps: 5000 }) });
    const state = { ...newController, nextPlanAtMs: 130_000 };
    const { decision } = controlStep(wild, state, observe(130, { counts: steady(20), running: running(3) }));
    expect(decision?.evidence.forecast).toEqual({ method: 'wild', meanRps: 20, upperRps: 60 });
  });

  describe('a change that burns the error budget', () => {
    const down = (state: ControllerState) =>
      controlStep(rules, state, observe(140, { counts: steady(10), running: running(6) }));
    const changed = down(plannedFor(rules, 20, running(6)));
    const replicas = (changed.decision?.kind === 'apply' && changed.decision.plan.stages[detect]?.[0]?.replicas) || 0;
    const at = (atS: number, state: ControllerState, dropped: number, counts = steady(10)) =>
      controlStep(rules, state, observe(atS, { counts, running: running(replicas), dropped }));

    it('is taken back, and none is made until a back-off has passed, which doubles', () => {
      expect(changed.state.trial).toBeDefined();
      const back = at(149, changed.state, 20);
      expect(back.decision).toMatchObject({ kind: 'apply', changes: [{ kind: 'scale', to: { replicas: 6 } }] });
      expect(back.decision?.reason).toContain('20 requests were dropped or failed');
      const again = controlStep(
        rules,
        back.state,
        observe(150, { counts: steady(10), running: running(6), dropped: 20 }),
      );
      expect(again.decision).toMatchObject({ kind: 'hold', reason: expect.stringContaining('had to be taken back') });
      const later = { ...again.state, nextPlanAtMs: 210_000 };
      const third = controlStep(rules, later, observe(210, { counts: steady(10), running: running(6), dropped: 20 }));
      expect(third.decision).toMatchObject({ kind: 'apply' });
      const failed = at(219, third.state, 40);
      expect(failed.state.backOff).toMatchObject({ failures: 2, untilMs: 219_000 + 120_000 });
    });

    it('is taken back, too, where requests fail in place of being dropped', () => {
      const seen = { counts: steady(10), running: running(replicas), failed: 20 };
      const back = controlStep(rules, changed.state, observe(149, seen));
      expect(back.decision).toMatchObject({ kind: 'apply', changes: [{ kind: 'scale', to: { replicas: 6 } }] });
      const { trial, ...rest } = changed.state;
      const before: ControllerState = { ...rest, ...(trial && { trial: { ...trial, missedAtStart: 20 } }) };
      expect(controlStep(rules, before, observe(149, seen)).decision).toBeUndefined();
    });

    it('does not answer for what failed before it, too, but for what comes on top', () => {
      const failing = (most: number, fraction: number) => {
        let state = plannedFor(rules, 20, running(6));
        for (let atS = 130; atS < 140; atS++)
          state = controlStep(
            rules,
            state,
            observe(atS, { counts: steady(10), running: running(6), failed: atS }),
          ).state;
        const seen = { counts: steady(10), running: running(6), failed: 140 };
        const tried = controlStep(rules, state, observe(140, seen));
        expect(tried.state.trial?.failedBefore).toBeCloseTo(0.1, 6);
        const failed = 140 + fraction * 10 * most;
        const after = { counts: steady(10), running: running(replicas), failed };
        return controlStep(rules, { ...tried.state, nextPlanAtMs: 200_000 }, observe(140 + most, after)).decision;
      };
      expect(failing(9, 0.1)).toBeUndefined();
      expect(failing(9, 0.5)?.reason).toContain('back to the plan before');
    });

    it('does not answer for what is dropped while it settles, nor for what was dropped before it was carried out', () => {
      const settling = at(142, changed.state, 200).state;
      expect(at(149, settling, 200).decision).toBeUndefined();
      const counts = steady(10);
      const applied = { kind: 'applied', changed: [detect], unchanged: [] } as const;
      const end = { ...observe(147, { counts, running: running(replicas), dropped: 200 }), lastChange: applied };
      const carriedOut = controlStep(rules, changed.state, end).state;
      expect(carriedOut.trial).toMatchObject({ sinceMs: 147_000, missedAtStart: 200 });
      expect(carriedOut.beforeChange).toBeUndefined();
    });

    it('is not taken back to a plan that a person has pinned otherwise', () => {
      const [stage] = spec.stages;
      const pinned = { ...spec, stages: stage ? [{ ...stage, pins: { ...stage.pins, replicas } }] : [] };
      const seen = observe(149, { counts: steady(10), running: running(replicas), dropped: 20 });
      expect(controlStep(rulesFor(pinned), changed.state, seen).decision).toBeUndefined();
    });

    it('stays when few are dropped, when it has lasted, and when more arrives than the plan before was good for', () => {
      expect(at(146, changed.state, 2).decision).toBeUndefined();
      const lasted = at(171, { ...changed.state, nextPlanAtMs: 180_000 }, 2);
      expect(lasted.state.trial).toBeUndefined();
      const crowded = at(146, changed.state, 200, [...steady(10, 100), ...steady(90, 6)]);
      expect(crowded.decision?.reason ?? '').not.toContain('back to the plan before');
    });
  });

  describe('on a clock that is set', () => {
    const base = 10_000;
    const planned = controlStep(
      rules,
      { ...newController, nextPlanAtMs: 1000 * base },
      observe(base, { counts: steady(20), running: running(3) }),
    ).state;
    const grown = (atS: number, state: ControllerState) =>
      controlStep(rules, state, observe(atS, { counts: steady(100), running: running(3) }));

    it('back by an hour it plans within an interval, and forgets what lies in the future', () => {
      const atMs = 1000 * base;
      const state: ControllerState = {
        ...planned,
        switches: [{ stageId: detect, atMs }],
        backOff: { failures: 1, untilMs: atMs + 60_000 },
        trial: {
          before: planOf(spec, { maxBatchSize: 1, replicas: 3 }),
          beforeLoad: { arrivalRps: 20 },
          sinceMs: atMs,
          missedAtStart: 0,
        },
      };
      let step = grown(base - 3600, state);
      let waitedS = 0;
      while (step.decision?.evidence.result === undefined && waitedS < 60)
        step = grown(base - 3600 + ++waitedS, step.state);
      expect(waitedS).toBeLessThanOrEqual(10);
      expect(step.decision).toMatchObject({ kind: 'apply', evidence: { necessary: true } });
      expect(step.state.trial).toBeUndefined();
      const down = controlStep(
        rules,
        { ...state, nextPlanAtMs: atMs - 3_600_000 },
        observe(base - 3600, { counts: steady(2), running: running(3) }),
      );
      expect(down.decision).toMatchObject({ kind: 'apply', evidence: { necessary: false } });
      const free = { ...spec, objective: { kind: 'min-cost', accuracyFloor: 0.5 } } as const;
      const seen = observe(base - 3600, { counts: steady(20), running: running(4) });
      const { switches } = state;
      expect(
        controlStep(rulesFor(free), { ...newController, nextPlanAtMs: atMs - 3_600_000, switches }, seen).decision,
      ).toMatchObject({ kind: 'apply', changes: [{ kind: 'switch-variant' }] });
    });

    it('ahead by an hour it plans at once, and goes on from there', () => {
      const step = controlStep(rules, planned, observe(base + 3600, { counts: steady(22), running: running(3) }));
      expect(step.decision?.evidence).toMatchObject({ result: { kind: 'feasible' } });
      expect(step.state.nextPlanAtMs).toBe(1000 * (base + 3600) + 10_000);
    });
  });

  it('learns as much in a second of short ticks as in one long tick', () => {
    const quarters = rulesFor(
      { ...spec, control: { ...spec.control, fastIntervalMs: 250 } },
      { learning: { methods: [], seed: 1 } },
    );
    let state: ControllerState = newController;
    const saved = Array.from({ length: 8 }, () => {
      state = trainBetweenTicks(quarters, state);
      return state.savedMs;
    });
    expect(saved).toEqual([250, 500, 750, 0, 250, 500, 750, 0]);
  });

  it('is pure: the same state and observation give the same step, and the state survives JSON', () => {
    const state = plannedFor(rules, 20, running(3));
    const seen = observe(131, { counts: [...steady(20), 100], running: running(3) });
    const once = controlStep(rules, state, seen);
    const copy = JSON.parse(JSON.stringify(state)) as ControllerState;
    expect(controlStep(rulesFor(spec), copy, seen)).toEqual(once);
  });
});

describe('a rise where replicas start slowly', () => {
  const rules = rulesFor(spec);
  const planned = plannedFor(rules, 20, running(2));
  const starts = {
    startingSinceMs: {},
    times: [{ stageId: detect, variantId: variantId('large'), ...{ startMs: [4000], atOnce: 1 } }],
  };
  const rising = [...steady(20), ...Array.from({ length: 15 }, (_, i) => 20 + i)];
  const seen = observe(136, { counts: rising, running: running(2) });

  it('is answered before the next plan is due, with more of the running variant', () => {
    expect(controlStep(rules, planned, seen).decision).toBeUndefined();
    const { decision, state } = controlStep(rules, { ...planned, starts }, seen);
    expect(decision).toMatchObject({ kind: 'apply', changes: [{ kind: 'scale' }], evidence: { necessary: true } });
    expect(decision?.evidence.burst).toBeUndefined();
    expect(decision?.reason).toMatch(/^the load rises, and replicas start slowly: room for/);
    // Each forecast is answered once.
    expect(controlStep(rules, state, { ...seen, atMs: 137_000 }).decision).toBeUndefined();
  });

  it('counts as one change an interval, however often it is answered', () => {
    const first = controlStep(rules, { ...planned, starts, appliedAtMs: [120_000] }, seen).state;
    const counts = [...rising, 36, 38, 40];
    const second = controlStep(rules, first, observe(139, { counts, running: running(2) }));
    expect(second.decision).toMatchObject({ kind: 'apply' });
    expect(second.decision?.evidence.burst).toBeUndefined();
    expect(second.state.appliedAtMs).toEqual([120_000, 139_000]);
  });

  it('waits for the next plan if only other variants could carry it', () => {
    const tight = rulesFor({ ...spec, objective: { kind: 'max-accuracy' }, budget: { cpuCores: 2 } });
    const state = { ...plannedFor(tight, 20, running(2)), starts };
    expect(controlStep(tight, state, seen).decision).toBeUndefined();
  });
});
