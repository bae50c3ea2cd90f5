import { describe, expect, it } from 'vitest';
import { type Family, randomProblem } from '../random-problems.test-support.js';
import { relaxationBound } from './relaxation.js';

/** The bound of a random problem whose relaxation may not be solved. */
function unsolvedBound(family: Family, seed: number) {
  const size = { variants: 3, replicas: 3, batches: 3 };
  const { problem } = randomProblem(family, seed, { size, estimator: 'distribution' });
  return { objective: problem.spec.objective, bound: relaxationBound({ ...problem, labelLimit: 0 }) };
}

describe('the bound of a relaxation that was not solved', () => {
  it('is what no accuracy can exceed', () => {
    const { objective, bound } = unsolvedBound('accuracy-table', 7);
    expect(objective.kind).toBe('weights');
    expect(bound).toBe(objective.kind === 'weights' ? objective.accuracy : undefined);
  });

  it('is no cost at all where the cost is what counts', () => {
    const { objective, bound } = unsolvedBound('any-join', 4);
    expect(objective.kind).toBe('min-cost');
    expect(bound).toBe(0);
  });
});
