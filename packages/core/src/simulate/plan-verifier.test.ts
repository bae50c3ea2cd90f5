import { describe, expect, it } from 'vitest';
import type { ExpectedLoad } from '../model/expected-load.js';
import { type Plan, showsSloMet } from '../model/plan.js';
import { chainSpec, planOf } from '../model/spec-builders.test-support.js';
import { requireCurves, type ServiceCurves } from '../profile/service-curves.js';
import { planVerifier, verifiersOf } from './plan-verifier.js';
import { verifyPlan } from './verify-plan.js';

const spec = {
  ...chainSpec({ a: [{ cpuCores: 1, batchSize: 1, meanMs: 10, p99Ms: 15 }] }),
  slo: { latencyMs: 50, percentile: 99 },
};
const plans = [1, 2, 3].map((replicas) => planOf(spec, { maxBatchSize: 1, replicas }));
const loads: readonly ExpectedLoad[] = [
  { arrivalRps: 30 },
  { arrivalRps: 60 },
  { arrivalRps: 60, burstiness: { sloMs: 50, dispersionAtSlo: 2, dispersionAt10s: 4 } },
  { arrivalRps: 60, backlog: { requests: 50, graceMs: 12_000 } },
];

/** Verifier that counts the simulated batches. */
function verifier({ remembered = 64, workStageRequests = 4_000 } = {}) {
  const plain = requireCurves(spec, []);
  let batches = 0;
  const curves: ServiceCurves = {
    ...plain,
    curve: (...of) => {
      const curve = plain.curve(...of);
      if (curve === undefined) return undefined;
      const law: typeof curve.law = (size) => {
        batches += 1;
        return curve.law(size);
      };
      return { ...curve, law };
    },
  };
  const verifierAt = verifiersOf({ spec, curves, hostCores: 8, seed: 1, workStageRequests, remembered });
  const ask = ([load, plan]: readonly [ExpectedLoad, Plan], slo = spec.slo, work?: number) =>
    verifierAt(load)(plan, slo, work);
  return { ask, simulated: () => batches };
}

const questions = loads.flatMap((load) => plans.map((plan) => [load, plan] as const));

describe('verifiersOf', () => {
  it('answers the same in any order, remembered or not', () => {
    const inOrder = verifier();
    const answers = questions.map((question) => inOrder.ask(question));
    const backwards = verifier({ remembered: 1 });
    expect(
      questions
        .toReversed()
        .map((question) => backwards.ask(question))
        .toReversed(),
    ).toEqual(answers);
    expect(questions.map((question) => inOrder.ask(question))).toEqual(answers);
  });

  it('simulates a question once while it remembers it, across loads that come back', () => {
    const { ask, simulated } = verifier();
    for (const question of questions) ask(question);
    const once = simulated();
    for (const question of questions) ask(question);
    expect(simulated()).toBe(once);
    ask([{ arrivalRps: 61 }, plans[0] as Plan]);
    expect(simulated()).toBeGreaterThan(once);
  });

  it('forgets the oldest question first and keeps no more than it may', () => {
    const { ask, simulated } = verifier({ remembered: 2 });
    const [first, second, third] = questions as [(typeof questions)[0], (typeof questions)[0], (typeof questions)[0]];
    for (const question of [first, second, third, second, third]) ask(question);
    const before = simulated();
    ask(second);
    ask(third);
    expect(simulated()).toBe(before);
    ask(first);
    expect(simulated()).toBeGreaterThan(before);
  });

  it('draws the same random numbers for every plan, load and SLO, so that a longer SLO is never met less', () => {
    const { ask } = verifier();
    const seeds = questions.map((question) => ask(question).seeds[0]);
    expect(new Set(seeds).size).toBe(1);
    const attained = [60, 80, 100, 150, 300].map(
      (latencyMs) => ask(questions[0] as (typeof questions)[0], { latencyMs, percentile: 99 }).sloAttainmentFraction,
    );
    expect(attained).toEqual(attained.toSorted((a, b) => a - b));
  });

  it('takes a part of the work for a quick look, and never more', () => {
    const { ask, simulated } = verifier({ workStageRequests: 20_000 });
    const question = questions[0] as (typeof questions)[0];
    ask(question);
    const whole = simulated();
    ask(question, spec.slo, 0.1);
    expect((simulated() - whole) / whole).toBeLessThan(0.2);
  });

  it('tells apart what a simulation tells apart: batch wait, variant, cores, SLO', () => {
    const { ask, simulated } = verifier();
    const [plan] = plans as [Plan];
    const waiting = {
      ...plan,
      stages: Object.fromEntries(Object.entries(plan.stages).map(([id, [of]]) => [id, [{ ...of, maxBatchWaitMs: 5 }]])),
    } as Plan;
    ask([{ arrivalRps: 30 }, plan]);
    const before = simulated();
    ask([{ arrivalRps: 30 }, { ...plan, predicted: { ...plan.predicted, pas: 0.5 } }]);
    expect(simulated()).toBe(before);
    ask([{ arrivalRps: 30 }, waiting]);
    expect(simulated()).toBeGreaterThan(before);
  });

  it('gives an inconclusive verdict four times the work, once', () => {
    const { ask, simulated } = verifier({ workStageRequests: 20_000 });
    const question = [{ arrivalRps: 50 }, plans[0] as Plan] as const;
    const { latencyMs, conclusive } = ask(question, { latencyMs: 1e6, percentile: 99 });
    expect(conclusive).toBe(true);
    const decided = simulated();
    expect(ask(question, { latencyMs, percentile: 99 })).toMatchObject({ conclusive: false });
    // The plan that holds was run with two seeds.
    expect((simulated() - decided) / (decided / 2)).toBeCloseTo(1 + 4, 0);
  });

  it('accepts a plan only if it holds with a second seed, too', () => {
    const [plan] = plans as [Plan];
    const input = { curves: requireCurves(spec, []), hostCores: 8, workStageRequests: 10_000, arrivalRps: 70 };
    const { latencyMs } = verifyPlan(
      { ...input, spec: { ...spec, slo: { latencyMs: 50, percentile: 96.5 } }, seed: 1, workStageRequests: 200_000 },
      plan,
    );
    const slo = { latencyMs, percentile: 95 };
    const verdicts = Array.from({ length: 30 }, (_, i) => {
      const asked = { ...input, spec: { ...spec, slo }, seed: 1 + i };
      return { alone: showsSloMet(verifyPlan(asked, plan)), both: planVerifier(asked)(plan, slo, 1) };
    });
    const accepted = verdicts.filter(({ both }) => showsSloMet(both));
    const lucky = verdicts.filter(({ alone, both }) => alone && !showsSloMet(both));
    expect(accepted.length).toBeGreaterThan(0);
    expect(lucky.length).toBeGreaterThan(0);
    expect(accepted.every(({ alone, both }) => alone && both.seeds.length === 2)).toBe(true);
  });
});
