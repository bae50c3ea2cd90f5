import { describe, expect, it } from 'vitest';
import { bruteForce } from '../brute-force.test-support.js';
import { prepareProblem } from '../options/prepared-problem.js';
import { PlanOracle } from '../plan-oracle.test-support.js';
import { families, randomProblem } from '../random-problems.test-support.js';
import { objectiveValue } from './objective-value.js';
import { SurrogateSolver } from './surrogate-solver.js';

const SMALL = { variants: 2, replicas: 2, batches: 2 };

/** Estimates by distribution take longer, so fewer seeds run. */
const seedsWith =
  process.env['EQUIPOISE_SEEDS'] === 'all'
    ? { 'sum-of-tails': 30, distribution: 4 }
    : { 'sum-of-tails': 10, distribution: 1 };

describe.each(families)('exact on %s', (family) => {
  it.each(['sum-of-tails', 'distribution'] as const)('equals brute force with %s', (estimator) => {
    const seeds = Array.from({ length: seedsWith[estimator] }, (_, i) => i + 1);
    for (const seed of seeds) {
      const { problem, theta, kappa } = randomProblem(family, seed, { size: SMALL, estimator });
      const oracle = bruteForce(problem, theta, kappa);
      const prepared = prepareProblem(problem);
      const solution = new SurrogateSolver(prepared).solve({ theta, kappa });
      const context = `${family} seed ${seed} ${JSON.stringify(problem.spec.objective)}`;
      expect(solution.choice !== undefined, context).toBe(oracle.best !== undefined);
      if (solution.choice === undefined || oracle.best === undefined) continue;
      const kept = new PlanOracle(problem, { theta, kappa }).keepsAll(solution.choice.map((o) => o.option));
      expect(kept, context).toBe(true);
      const value = objectiveValue(prepared.objective, prepared.accuracy, solution.choice);
      const signed = prepared.objective.kind === 'min-cost' ? -value : value;
      expect(Math.abs(signed - oracle.best.value), context).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(signed)));
      const cost = solution.choice.reduce((sum, o) => sum + o.costPerHour, 0);
      if (prepared.objective.kind !== 'weights')
        expect(Math.abs(cost - oracle.best.cost), context).toBeLessThanOrEqual(1e-9 * Math.max(1, cost));
      expect(solution.optimal).toBe(true);
    }
  });
});
