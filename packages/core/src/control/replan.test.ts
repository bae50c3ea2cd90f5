import { expect, it } from 'vitest';
import { smoothedRate } from '../forecast/smoothed-rate.js';
import type { RunningPlan } from '../model/running-plan.js';
import { optimize } from '../optimize/optimize.js';
import type { Policy } from '../optimize/planning-problem.js';
import { decideByPlan } from './replan.js';
import { controlPolicies } from './rules.js';
import { Situation } from './situation.js';
import { detect, observe, rulesFor, running, spec, steady } from './step-bench.test-support.js';

it('plans again unless all that a plan rests on is as before, also the running batches and states', () => {
  let plans = 0;
  const plan: Policy = (...asked) => {
    plans += 1;
    return optimize(...asked);
  };
  const rules = rulesFor(spec, { policy: { ...controlPolicies.equipoise, plan } });
  const plansFor = (runningPlan: RunningPlan): number => {
    const before = plans;
    const observation = observe(130, { counts: steady(50), running: runningPlan });
    decideByPlan(new Situation({ rules, observation, plannedRates: [] }), smoothedRate);
    return plans - before;
  };
  const stage = running(4).stages[detect];
  const of = (over: Partial<typeof stage>): RunningPlan => ({ stages: { [detect]: { ...stage, ...over } as never } });
  const starting = stage?.replicas.map((each) => ({ ...each, status: 'starting' as const }));
  expect(plansFor(of({}))).toBeGreaterThan(0);
  expect(plansFor(of({}))).toBe(0);
  expect(plansFor(of({ maxBatchSize: 4 }))).toBeGreaterThan(0);
  expect(plansFor(of({ replicas: starting ?? [] }))).toBeGreaterThan(0);
});
