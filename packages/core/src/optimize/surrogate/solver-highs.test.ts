import type { Highs } from 'highs';
import { beforeAll, describe, expect, it } from 'vitest';
import { prepareProblem } from '../options/prepared-problem.js';
import { surrogateProblem } from '../options/surrogate.js';
import { type Family, randomProblem } from '../random-problems.test-support.js';
import { loadHighs, solveWithHighs } from './highs-oracle.test-support.js';
import { costOf, pasOf } from './objective-value.js';
import { solve } from './solve.js';

const LARGER = { variants: 5, replicas: 6, batches: 3 };
const linear: readonly Family[] = [
  'chain',
  'fork-join',
  'bridge',
  'fan-out',
  'two-outputs',
  'pins',
  'two-budgets',
  'switching-cost',
];

describe('label setting against HiGHS', () => {
  let highs: Highs;
  beforeAll(async () => {
    highs = await loadHighs();
  });

  it.each(linear)('finds the same optimum on %s', (family) => {
    for (let seed = 100; seed < 106; seed++) {
      const { problem, theta, kappa } = randomProblem(family, seed, { size: LARGER, estimator: 'distribution' });
      const surrogate = surrogateProblem(prepareProblem(problem), { theta, kappa });
      if (surrogate.objective.kind === 'weights') continue;
      const oracle = solveWithHighs(highs, surrogate).value;
      const { choice } = solve(surrogate);
      const own =
        choice === undefined
          ? undefined
          : surrogate.objective.kind === 'min-cost'
            ? -costOf(choice)
            : Math.log(pasOf(surrogate.accuracy, choice));
      expect(own === undefined, `${family} seed ${seed}`).toBe(oracle === undefined);
      if (own !== undefined) expect(own, `${family} seed ${seed}`).toBeCloseTo(oracle as number, 8);
    }
  });
});
