import { describe, expect, it } from 'vitest';
import type { Plan } from '../../model/plan.js';
import { optimize } from '../optimize.js';
import { prepareProblem } from '../options/prepared-problem.js';
import { problemOf, testPipeline, testStage } from '../planning.test-support.js';
import type { VerifyPlan } from '../planning-problem.js';
import { harderChoices } from './related-choices.js';
import { searchPlan } from './search-plan.js';

const spec = testPipeline([
  testStage('detect', [
    { name: 'small', accuracy: 0.7, fixedMs: 2, perItemMs: 4 },
    { name: 'large', accuracy: 0.9, fixedMs: 4, perItemMs: 20 },
  ]),
  testStage('classify', [
    { name: 'small', accuracy: 0.8, fixedMs: 1, perItemMs: 5 },
    { name: 'large', accuracy: 0.9, fixedMs: 2, perItemMs: 15 },
  ]),
]);
const problem = problemOf(spec, 100);

/** Simulation in which every plan takes `factor` times the sum of its tails. */
function slower(factor: number): { readonly verify: VerifyPlan; readonly plans: Plan[] } {
  const plans: Plan[] = [];
  const verify: VerifyPlan = (plan, slo, workFraction = 1) => {
    if (workFraction === 1) plans.push(plan);
    const latencyMs = factor * plan.predicted.latencyMs;
    const sloAttainmentFraction = latencyMs <= slo.latencyMs ? 1 : 0.9;
    return { latencyMs, percentile: slo.percentile, sloAttainmentFraction, conclusive: true, seeds: [1] };
  };
  return { verify, plans };
}

describe('the θ loop', () => {
  it('lowers θ where tails overestimate and raises it, then κ, where they underestimate', () => {
    const levels = [0.6, 1, 2].map((factor) => {
      const outcome = searchPlan(problem, slower(factor).verify);
      if (outcome.kind === 'none') throw new Error('no plan');
      expect(outcome.found.plan.verified?.latencyMs).toBeLessThanOrEqual(200);
      const { theta, kappa } = outcome.found.factors;
      return { level: theta * kappa, pas: outcome.found.value };
    });
    expect(levels.map(({ pas }) => pas)).toEqual(levels.map(({ pas }) => pas).sort((a, b) => b - a));
    expect(levels[2]?.level).toBeGreaterThan(levels[0]?.level as number);
    expect(levels[2]?.level).toBeGreaterThan(1);
  });

  it('simulates no plan twice and few of them', () => {
    for (const factor of [0.6, 1, 1.5, 2, 4, 50]) {
      const { verify, plans } = slower(factor);
      searchPlan(problem, verify);
      const keys = plans.map((plan) => JSON.stringify(plan.stages));
      expect(new Set(keys).size).toBe(keys.length);
      expect(keys.length).toBeLessThanOrEqual(28);
    }
  });

  it('counts an inconclusive run as a miss', () => {
    const doubtful: VerifyPlan = (_, slo) => ({
      latencyMs: 1,
      percentile: slo.percentile,
      sloAttainmentFraction: 1,
      conclusive: false,
      seeds: [1],
    });
    const result = optimize(problem, doubtful);
    expect(result).toMatchObject({ kind: 'not-found' });
  });
});

describe('the tie of equally accurate plans', () => {
  const [detect, classify] = [
    testStage('detect', [{ name: 'only', accuracy: 0.8, fixedMs: 2, perItemMs: 20 }]),
    testStage('classify', [{ name: 'only', accuracy: 0.9, fixedMs: 1, perItemMs: 6 }]),
  ];
  const pipeline = testPipeline([detect, classify], [{ from: detect.id, to: classify.id, fanOut: { expected: 3 } }]);

  /** Accepts plans with a total of at least this many replicas. */
  const needs =
    (replicas: number): VerifyPlan =>
    (plan, slo) => {
      const enough = Object.values(plan.stages).reduce((sum, [part]) => sum + (part?.replicas ?? 0), 0) >= replicas;
      const latencyMs = enough ? 0.8 * slo.latencyMs : 1.3 * slo.latencyMs;
      const sloAttainmentFraction = enough ? 1 : 0.5;
      return { latencyMs, percentile: slo.percentile, sloAttainmentFraction, conclusive: true, seeds: [1] };
    };

  it.each([4, 5, 6])(
    'goes to a plan hardly dearer than the cheapest, whatever the budget, where that needs %i replicas',
    (replicas) => {
      const costs = [replicas, replicas + 2, 16].map((cpuCores) => {
        const outcome = searchPlan(problemOf({ ...pipeline, budget: { cpuCores } }, 30), needs(replicas));
        return outcome.kind === 'found' ? outcome.found.plan.predicted.costPerHour : undefined;
      });
      expect(costs[0]).toBe(replicas);
      for (const cost of costs) expect(cost).toBeLessThanOrEqual(replicas + 1);
    },
  );
});

describe('the cheapest plan of an unlimited budget', () => {
  const stages = [
    testStage('detect', [{ name: 'only', accuracy: 0.8, fixedMs: 16, perItemMs: 50 }], [1, 2, 4, 8]),
    testStage('classify', [{ name: 'only', accuracy: 0.9, fixedMs: 10, perItemMs: 57 }], [1, 2, 4, 8]),
  ];
  const pipeline = { ...testPipeline(stages), budget: {}, slo: { latencyMs: 6000, percentile: 99 } };

  /** Above 96 % of capacity, plans are fast but every simulation is inconclusive. */
  const doubtfulNearCapacity =
    (arrivalRps: number): VerifyPlan =>
    (plan, { percentile }) => {
      const conclusive = arrivalRps <= 0.96 * plan.predicted.capacityRps;
      return { latencyMs: 500, percentile, sloAttainmentFraction: 1, conclusive, seeds: [1] };
    };

  function leastCostPerHour(arrivalRps: number): number {
    const { options } = prepareProblem(problemOf(pipeline, arrivalRps));
    const enough = options.map((each) => each.filter((o) => arrivalRps <= 0.96 * o.capacityRps));
    return enough.reduce((sum, each) => sum + Math.min(...each.map(({ use }) => use[3])), 0);
  }

  it.each([29, 38, 56, 74])('is found at %i rps though the first choice is too near its capacity', (rps) => {
    const objective = { kind: 'min-cost', accuracyFloor: 0.5 } as const;
    const outcome = searchPlan(problemOf(pipeline, rps, { objective }), doubtfulNearCapacity(rps));
    expect(outcome.kind === 'found' && outcome.found.value).toBeLessThanOrEqual(1.05 * leastCostPerHour(rps));
  });
});

describe('trimming', () => {
  const only = testStage('detect', [{ name: 'only', accuracy: 0.8, fixedMs: 20, perItemMs: 4 }]);

  it('saves no replica by a larger batch where only the batch is weighed', () => {
    const objective = { kind: 'weights', accuracy: 1, cost: 0, batch: 0.01 } as const;
    const outcome = searchPlan({ ...problemOf(testPipeline([only]), 50, { objective }) }, slower(0.5).verify);
    if (outcome.kind === 'none') throw new Error('no plan');
    expect(outcome.found.plan.stages[only.id]?.[0]).toMatchObject({ maxBatchSize: 1 });
    expect(outcome.found.value).toBeCloseTo(0.79, 12);
  });
});

it('takes no candidate from a harder problem without a plan', () => {
  const slo = { latencyMs: 0.001, percentile: 99 };
  expect(harderChoices(prepareProblem({ ...problem, slo }))).toEqual([]);
});
