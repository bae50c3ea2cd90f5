import { describe, expect, it } from 'vitest';
import { variantId } from '../model/ids.js';
import type { RunningPlan } from '../model/running-plan.js';
import { planOf } from '../model/spec-builders.test-support.js';
import { newController } from './controller-state.js';
import type { ControllerRules } from './rules.js';
import { type ControlStep, controlStep } from './step.js';
import { detect, observe, plannedFor, rulesFor, running, spec, steady } from './step-bench.test-support.js';

describe('a variant that was rolled back', () => {
  const [small, large] = [variantId('small'), variantId('large')];
  const free = rulesFor({ ...spec, objective: { kind: 'max-accuracy' } });
  const backOffOf = (untilS: number) => [{ variantId: large, untilMs: 1000 * untilS }];
  const inBackOff = (untilS: number, replicas = 2): RunningPlan => {
    const { stages } = running(replicas, 'small');
    const stage = stages[detect] ?? expect.fail('the stage runs');
    return { stages: { [detect]: { ...stage, rolledBack: backOffOf(untilS) } } };
  };
  const start = { ...newController, nextPlanAtMs: 130_000 };
  const variantsOf = ({ decision }: ControlStep) =>
    decision?.kind === 'apply' ? decision.changes.map(({ to }) => to.variantId) : [];
  const at = (rules: ControllerRules, runningPlan: RunningPlan, counts = steady(20), state = start) =>
    controlStep(rules, state, observe(130, { counts, running: runningPlan }));

  it('is not planned within its back-off, neither as an improvement nor if what runs misses the SLO', () => {
    expect(variantsOf(at(free, running(2, 'small')))).toEqual([large]);
    expect(variantsOf(at(free, inBackOff(131)))).not.toContain(large);
    expect(variantsOf(at(free, inBackOff(130)))).toEqual([large]);
    const slow = at(free, inBackOff(131, 1), steady(300), { ...start, planned: { arrivalRps: 400 } });
    expect(slow.decision).toMatchObject({ evidence: { necessary: true, result: { kind: 'feasible' } } });
    expect(variantsOf(slow)).toEqual([small]);
  });

  it('is planned if nothing else is feasible, or if a pin asks for it', () => {
    expect(variantsOf(at(rulesFor(spec), inBackOff(131)))).toEqual([large]);
    const stages = free.spec.stages.map((stage) => ({ ...stage, pins: { variantId: large } }));
    expect(variantsOf(at(rulesFor({ ...free.spec, stages }), inBackOff(131)))).toEqual([large]);
  });

  it('is tried again at the next plan, not at once, after another failure', () => {
    const rules = rulesFor(spec);
    const lastChange = { kind: 'failed' as const, changed: [], unchanged: [detect] };
    const after = (runningPlan: RunningPlan) => {
      const { state } = at(rules, runningPlan);
      const told = observe(132, { counts: steady(20), running: inBackOff(192) });
      return controlStep(rules, state, { ...told, lastChange }).state.nextPlanAtMs;
    };
    expect([after(running(2, 'small')), after(inBackOff(131))]).toEqual([142_000, 140_000]);
  });

  it('answers no burst, because a burst skips the canary', () => {
    const tight = rulesFor({ ...free.spec, budget: { cpuCores: 6 } });
    const state = plannedFor(tight, 20, running(3));
    const stage = running(3).stages[detect] ?? expect.fail('the stage runs');
    const burst = (rolledBack: readonly { variantId: typeof small; untilMs: number }[]) => {
      const seen = { counts: [...steady(20), 300], running: { stages: { [detect]: { ...stage, rolledBack } } } };
      return variantsOf(controlStep(tight, state, observe(131, seen)));
    };
    expect(burst([{ variantId: small, untilMs: 131_000 }])).toEqual([small]);
    expect(burst([{ variantId: small, untilMs: 132_000 }])).toEqual([large]);
  });

  it('is in back-off after a failed trial, too, as long as improvements are', () => {
    const trial = { before: planOf(free.spec, { maxBatchSize: 1, replicas: 4 }), beforeLoad: { arrivalRps: 20 } };
    const tried = { ...start, nextPlanAtMs: 140_000, trial: { ...trial, sinceMs: 110_000, missedAtStart: 0 } };
    const missing = observe(130, { counts: steady(20), running: running(3), dropped: 500 });
    const back = controlStep(free, tried, missing);
    expect(variantsOf(back)).toEqual([small]);
    const due = { ...back.state, nextPlanAtMs: 130_000 };
    expect(variantsOf(at(free, running(1, 'small'), steady(300), { ...due, planned: { arrivalRps: 400 } }))).toEqual([
      small,
    ]);
    const over = { ...due, switches: [], backOff: { ...back.state.backOff, failures: 1, untilMs: 130_000 } };
    expect(variantsOf(at(free, running(1, 'small'), steady(20), over))).toEqual([large]);
  });
});
