import { describe, expect, it } from 'vitest';
import type { Plan } from '../model/plan.js';
import { oneRouter, planOfRouter, routerShares, usualSplit } from '../model/router-split.js';
import { problemOf } from './planning.test-support.js';
import {
  foundPlan,
  oracleLatencies,
  planForSplit,
  poissonLoad,
  splitOutcome,
  splitSpec,
  withinSlo,
} from './split-plans.test-support.js';

const four = usualSplit(4);

const withReplicas = (plan: Plan, replicasOf: (replicas: number) => number): Plan => ({
  ...plan,
  stages: Object.fromEntries(
    Object.entries(plan.stages).map(([id, parts]) => [
      id,
      parts.map((part) => ({ ...part, replicas: replicasOf(part.replicas) })),
    ]),
  ),
});

describe('a plan for several routers', () => {
  const cases = (['Poisson', 'bursty'] as const).flatMap((load) => [2, 4, 16].map((count) => ({ load, count })));

  it.each(cases)('holds by an independent simulator: $load load, $count routers, even and uneven by 20 %', (of) => {
    const { even, uneven } = splitOutcome(of.load, of.count);
    for (const byRouter of [uneven, even]) {
      expect(withinSlo(byRouter.flat())).toBeGreaterThanOrEqual(0.99);
      expect(Math.min(...byRouter.map(withinSlo))).toBeGreaterThanOrEqual(0.98);
    }
  });

  it('holds where an equal part of the plan for one router does not', () => {
    const problem = problemOf(splitSpec, poissonLoad.arrivalRps);
    const attained = (plan: Plan) => withinSlo(oracleLatencies(plan, poissonLoad, routerShares(four)).flat());
    expect(attained(foundPlan(planForSplit(problem, four, poissonLoad)))).toBeGreaterThanOrEqual(0.99);
    const part = planOfRouter(foundPlan(planForSplit(problem, oneRouter, poissonLoad)), four);
    expect(attained(withReplicas(part, (replicas) => 4 * replicas))).toBeLessThan(0.99);
  });
});
