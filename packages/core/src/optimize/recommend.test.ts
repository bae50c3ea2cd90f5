import { describe, expect, it } from 'vitest';
import type { Plan } from '../model/plan.js';
import { smallOrLargeSpec } from '../model/spec-builders.test-support.js';
import type { PlanningProblem } from './planning-problem.js';
import { type FreeQuantity, recommend } from './recommend.js';

const spec = smallOrLargeSpec();
const problem: PlanningProblem = { spec, profiles: [], arrivalRps: 30, estimator: 'distribution' };

/** A verifier under which a plan holds up to a rate, whatever the estimate says. */
const holdsUpTo =
  (mostRps: number) =>
  ({ arrivalRps }: PlanningProblem) =>
  (_plan: Plan, { percentile }: { readonly percentile: number }) => ({
    ...{ latencyMs: 1, percentile, conclusive: true, seeds: [1] },
    sloAttainmentFraction: arrivalRps <= mostRps ? 1 : 0.5,
  });

const bestValue = (free: FreeQuantity, accuracyFloor = 0, asked = problem): number => {
  const answer = recommend({ problem: asked, accuracyFloor }, free);
  return answer.kind === 'found' ? answer.value : Number.NaN;
};

describe('recommend', () => {
  it('finds the best value of each quantity by the estimate', () => {
    expect(bestValue('cost')).toBe(1);
    expect(bestValue('accuracy')).toBe(0.9);
    expect(bestValue('load')).toBeGreaterThan(30);
    expect(bestValue('load')).toBeLessThan(200);
    expect(bestValue('slo')).toBeLessThan(spec.slo.latencyMs);
    expect(bestValue('robustness')).toBeGreaterThan(1);
  });

  it('keeps the accuracy floor, unless the accuracy is free', () => {
    expect(bestValue('cost', 0.8)).toBe(2);
    expect(bestValue('load', 0.8)).toBeLessThan(40);
    expect(bestValue('load', 0.95)).toBeNaN();
    expect(bestValue('accuracy', 0.95)).toBe(0.9);
  });

  it('says what is proven of optimized values, and nothing of searched ones', () => {
    const certificateOf = (free: FreeQuantity) => {
      const answer = recommend({ problem, accuracyFloor: 0 }, free);
      return answer.kind === 'found' ? answer.certificate : undefined;
    };
    expect(certificateOf('cost')).toMatchObject({ claim: 'surrogate', optimal: true });
    expect(certificateOf('accuracy')).toMatchObject({ claim: 'surrogate', optimal: true });
    for (const free of ['load', 'slo', 'robustness'] as const) expect(certificateOf(free)).toBeUndefined();
  });

  it('plans for the routers of the spec', () => {
    const routed = { ...problem, spec: { ...spec, routers: 2 } };
    expect(bestValue('cost', 0, routed)).toBe(2);
    for (const free of ['cost', 'accuracy', 'load', 'slo', 'robustness'] as const) {
      const answer = recommend({ problem: routed, accuracyFloor: 0 }, free);
      const plan = answer.kind === 'found' ? answer.plan : undefined;
      expect(plan?.routers).toBe(2);
      expect(Object.values(plan?.stages ?? {}).flatMap((parts) => parts.map(({ replicas }) => replicas % 2))).toEqual([
        0,
      ]);
    }
  });

  it('does not count the limit on the free quantity', () => {
    const overloaded = { ...problem, arrivalRps: 1000 };
    expect(bestValue('accuracy', 0, overloaded)).toBeNaN();
    expect(bestValue('load', 0, overloaded) / bestValue('load')).toBeCloseTo(1, 1);
    const impossible = { ...problem, spec: { ...spec, slo: { ...spec.slo, latencyMs: 1 } } };
    expect(bestValue('slo', 0, impossible)).toBeCloseTo(bestValue('slo'), 0);
  });

  it('goes by the verifier where the estimate finds more, and where it finds nothing', () => {
    const loadWith = (asked: PlanningProblem, mostRps: number) => {
      const answer = recommend({ problem: asked, accuracyFloor: 0, verifierOf: holdsUpTo(mostRps) }, 'load');
      return answer.kind === 'found' ? answer.value : Number.NaN;
    };
    expect(loadWith(problem, 20)).toBeGreaterThan(19.8);
    expect(loadWith(problem, 20)).toBeLessThanOrEqual(20);
    // Even without queueing, the estimated p99 of both variants is above this SLO.
    const tight = { ...problem, spec: { ...spec, slo: { ...spec.slo, latencyMs: 11 } } };
    expect(bestValue('load', 0, tight)).toBeNaN();
    expect(loadWith(tight, 20)).toBeGreaterThan(19.8);
  });

  it('needs no more cores than the cheapest plan that the verifier accepts', () => {
    // The estimate asks for 5 cores because of the SLO. The verifier goes by the capacity alone, for which 2 do.
    const small = { ...spec, slo: { ...spec.slo, latencyMs: 15 }, budget: { cpuCores: 1 } };
    const verifierOf =
      ({ arrivalRps }: PlanningProblem) =>
      ({ predicted: { capacityRps } }: Plan, { percentile }: { readonly percentile: number }) => ({
        ...{ latencyMs: 1, percentile, conclusive: true, seeds: [1] },
        sloAttainmentFraction: capacityRps >= arrivalRps ? 1 : 0.5,
      });
    const question = { problem: { ...problem, spec: small, arrivalRps: 150 }, accuracyFloor: 0, verifierOf };
    const [cheapest, robust] = [recommend(question, 'cost'), recommend(question, 'robustness')];
    const needed = robust.kind === 'none' ? robust.result.fixes.budget?.cpuCores : undefined;
    expect(needed).toBe(cheapest.kind === 'found' ? cheapest.plan.predicted.cpuCores : undefined);
    expect(needed).toBe(2);
  });
});
