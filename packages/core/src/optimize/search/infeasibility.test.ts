import { describe, expect, it } from 'vitest';
import { bruteForce } from '../brute-force.test-support.js';
import { optimize } from '../optimize.js';
import { problemOf, testPipeline, testStage } from '../planning.test-support.js';
import type { VerifyPlan } from '../planning-problem.js';
import { type Family, randomProblem } from '../random-problems.test-support.js';
import { relaxationBound } from './relaxation-bound.js';

const SEEDS = Array.from({ length: 24 }, (_, i) => i + 1);

/** Bounds of a random problem from its relaxation: unsolved and solved. */
function bounds(family: Family, seed: number) {
  const size = { variants: 3, replicas: 3, batches: 3 };
  const { problem } = randomProblem(family, seed, { size, estimator: 'distribution' });
  const bound = relaxationBound({ ...problem, labelLimit: 0 });
  return { objective: problem.spec.objective, bound, solved: relaxationBound(problem) };
}

/** Distance of the unsolved bound to the solved bound, and to the trivial bound. */
function looseness({ objective, bound = 0, solved = 0 }: ReturnType<typeof bounds>) {
  if (objective.kind === 'min-cost') return { overSolved: solved - bound, underNothing: bound };
  return { overSolved: bound - solved, underNothing: (objective.kind === 'weights' ? objective.accuracy : 1) - bound };
}

describe('the bound of a relaxation that was not solved', () => {
  it.each<Family>(['accuracy-table', 'any-join'])(
    'no plan can beat, yet it tells more than nothing, on %s',
    (family) => {
      const all = SEEDS.map((seed) => bounds(family, seed));
      expect(all.map(({ bound }) => bound === undefined)).toEqual(all.map(({ solved }) => solved === undefined));
      for (const { overSolved, underNothing } of all.filter(({ bound }) => bound !== undefined).map(looseness)) {
        expect(overSolved).toBeGreaterThanOrEqual(-1e-9);
        expect(underNothing).toBeGreaterThan(0);
      }
    },
  );

  it('is met where the limit did not matter, and looser where it did', () => {
    expect(bounds('any-join', 4)).toMatchObject({ objective: { kind: 'min-cost' }, bound: 6, solved: 6 });
    const { bound, solved } = bounds('accuracy-table', 7);
    expect(bound).toBeGreaterThan(1.01 * (solved as number));
  });
});

it('bounds also plans of smaller batches where large ones are charged', () => {
  const stages = ['a', 'b'].map((name) => {
    const stage = testStage(name, [{ name: 'only', accuracy: 0.9, fixedMs: 5, perItemMs: 10 }]);
    return { ...stage, bounds: { ...stage.bounds, maxReplicas: 4 } };
  });
  for (const batch of [0, 0.01, 0.1, 0.5]) {
    const objective = { kind: 'weights', accuracy: 5, cost: 0.2, batch } as const;
    const problem = problemOf({ ...testPipeline(stages), objective }, 70);
    expect(relaxationBound(problem)).toBeGreaterThanOrEqual((bruteForce(problem, 1, 1).best?.value as number) - 1e-9);
  }
});

it('is no advice but the plan if what a relaxation finds fits without it', () => {
  const spec = testPipeline([
    testStage('detect', [
      { name: 'small', accuracy: 0.6, fixedMs: 2, perItemMs: 4 },
      { name: 'large', accuracy: 0.8, fixedMs: 4, perItemMs: 100 },
    ]),
  ]);
  // Only the cheapest plan meets the SLO. A search without work never tries it.
  const verify: VerifyPlan = ({ predicted }, { latencyMs, percentile }) => {
    const holds = predicted.cpuCores === 1;
    return { latencyMs, percentile, sloAttainmentFraction: holds ? 1 : 0, conclusive: true, seeds: [1] };
  };
  const problem = problemOf({ ...spec, budget: { cpuCores: 6 } }, 20, { workLimit: 0 });
  expect(optimize({ ...problem, verifiesAdvice: false }, verify).kind).toBe('not-found');
  expect(optimize(problem, verify)).toMatchObject({ kind: 'feasible', objectiveValue: 0.6 });
});

it('is proven without a search if service times alone exceed the SLO', () => {
  const variants = ['small', 'medium', 'large'].map((name, i) => ({
    name,
    accuracy: 0.6 + 0.1 * i,
    fixedMs: 20,
    perItemMs: 10 + i,
  }));
  const spec = testPipeline([testStage('detect', variants), testStage('classify', variants)]);
  let runs = 0;
  const verify: VerifyPlan = (_, { percentile }) => {
    runs++;
    return { latencyMs: 70, percentile, sloAttainmentFraction: 0, conclusive: true, seeds: [1] };
  };
  const slo = { latencyMs: 40, percentile: 99 };
  const result = optimize(problemOf({ ...spec, slo, budget: { cpuCores: 40 } }, 20), verify);
  expect(result).toMatchObject({ kind: 'infeasible', proven: true, bindingConstraint: 'slo' });
  expect(runs).toBeLessThan(30);
});
