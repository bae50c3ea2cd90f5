import { describe, expect, it } from 'vitest';
import type { Objective } from '../../model/pipeline-spec.js';
import { prepareProblem } from '../options/prepared-problem.js';
import { surrogateProblem } from '../options/surrogate.js';
import { randomProblem } from '../random-problems.test-support.js';
import { searchAccuracyTable } from './accuracy-table-search.js';
import { objectiveValue } from './objective-value.js';

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
