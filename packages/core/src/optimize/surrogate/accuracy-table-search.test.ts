import { describe, expect, it } from 'vitest';
import type { Objective } from '../../model/pipeline-spec.js';
import { prepareProblem } from '../options/prepared-problem.js';
import { type SurrogateProblem, surrogateProblem } from '../options/surrogate.js';
import { randomProblem } from '../random-problems.test-support.js';
import { searchAccuracyTable, searchCases } from './accuracy-table-search.js';
import { isBetter, objectiveValue } from './objective-value.js';
import { solve } from './solve.js';

const SIZE = { variants: 3, replicas: 3, batches: 2 };
const SEEDS = Array.from({ length: 30 }, (_, i) => i + 1);

describe('an accuracy table at its label limit', () => {
  it.each<Objective>([
    { kind: 'max-accuracy' },
    { kind: 'min-cost', accuracyFloor: 0.2 },
    { kind: 'weights', accuracy: 10, cost: 0.3, batch: 0.01 },
  ])('claims a gap that the best choice does not exceed ($kind)', (objective) => {
    let open = 0;
    for (const seed of SEEDS) {
      const { problem, theta, kappa } = randomProblem('accuracy-table', seed, {
        size: SIZE,
        estimator: 'sum-of-tails',
      });
      const valueWith = (labelLimit: number) => {
        const surrogate = surrogateProblem(prepareProblem({ ...problem, objective, labelLimit }), { theta, kappa });
        const { choice, gapFraction } = searchAccuracyTable(surrogate);
        return { value: choice && objectiveValue(objective, surrogate.accuracy, choice), gapFraction };
      };
      const [best, limited] = [valueWith(1_000_000), valueWith(1)];
      if (best.value === undefined || limited.value === undefined) continue;
      open += limited.gapFraction > 0 ? 1 : 0;
      const larger = Math.max(Math.abs(best.value), Math.abs(limited.value));
      expect(Math.abs(best.value - limited.value)).toBeLessThanOrEqual(limited.gapFraction * larger + 1e-9);
      expect(limited.gapFraction).toBeLessThan(1);
    }
    expect(open).toBeGreaterThan(0);
  });
});

const UNLIMITED: SurrogateProblem['limits'] = [
  Number.POSITIVE_INFINITY,
  Number.POSITIVE_INFINITY,
  Number.POSITIVE_INFINITY,
  Number.POSITIVE_INFINITY,
];

describe('several problems', () => {
  /** Accuracy without limits, which no choice exceeds. */
  function mostAccuracyOf(problem: SurrogateProblem): number {
    const objective: Objective = { kind: 'max-accuracy' };
    const { choice } = solve({ ...problem, objective, limits: UNLIMITED, sloMs: Number.POSITIVE_INFINITY });
    return choice === undefined ? 0 : objectiveValue(objective, problem.accuracy, choice);
  }

  function problemsOf(seed: number, objective: Objective): readonly SurrogateProblem[] {
    return [0, 1, 2].map((part) => {
      const drawn = randomProblem('accuracy-table', 100 * part + seed, { size: SIZE, estimator: 'sum-of-tails' });
      return surrogateProblem(prepareProblem({ ...drawn.problem, objective }), drawn);
    });
  }

  function bestValueOf(problems: readonly SurrogateProblem[], objective: Objective): number | undefined {
    const values = problems.flatMap((problem) => {
      const { choice } = solve(problem);
      return choice === undefined ? [] : [objectiveValue(objective, problem.accuracy, choice)];
    });
    return values.length === 0
      ? undefined
      : values.reduce((best, value) => (isBetter(objective, value, best) ? value : best));
  }

  it.each<Objective>([
    { kind: 'max-accuracy' },
    { kind: 'min-cost', accuracyFloor: 0.2 },
    { kind: 'weights', accuracy: 10, cost: 0.3, batch: 0.01 },
  ])('have the best choice of any of them; those that cannot have it are not prepared ($kind)', (objective) => {
    let [found, spared] = [0, 0];
    for (const seed of SEEDS) {
      const problems = problemsOf(seed, objective);
      const best = bestValueOf(problems, objective);
      const prepared = new Set<SurrogateProblem>();
      const families = problems.map((problem, caseIndex) => ({
        mostAccuracy: mostAccuracyOf(problem),
        leastOptions: () => problem.stages,
        cases: [
          {
            caseIndex,
            measured: () => (problem.accuracy.productCounts ? undefined : problem.accuracy.measured),
            problem: () => {
              prepared.add(problem);
              return problem;
            },
          },
        ],
      }));
      const solution = searchCases(families, { objective, limits: UNLIMITED, labelLimit: 1_000_000 });
      const { value, choice, caseIndex, optimal } = solution;
      expect(optimal, `seed ${seed}`).toBe(true);
      expect(value === undefined, `seed ${seed}`).toBe(best === undefined);
      const from = problems[caseIndex];
      if (best === undefined || choice === undefined || from === undefined) continue;
      found += 1;
      spared += problems.length - prepared.size;
      expect(value, `seed ${seed}`).toBeCloseTo(best, 9);
      expect(objectiveValue(objective, from.accuracy, choice), `seed ${seed}`).toBe(value);
    }
    expect(found).toBeGreaterThan(SEEDS.length / 2);
    if (objective.kind === 'max-accuracy') expect(spared).toBeGreaterThan(0);
  });
});
