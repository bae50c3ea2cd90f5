import { describe, expect, it } from 'vitest';
import { SeededRng } from '../../kernel/rng.js';
import { choiceValue, type LabelProblem, type NodeOptions } from './label-problem.js';
import { solveLabels } from './solve-labels.js';

/** A chain in which many choices are nearly as good as the best, so that bounds do not suffice. */
function hardChain(stages: number, options: number, labelLimit: number): LabelProblem {
  const rng = new SeededRng(4);
  const nodes = Array.from({ length: stages }, (): NodeOptions => {
    const weight = Float64Array.from({ length: options }, () => 1 + rng.next());
    return {
      count: options,
      latencyMs: weight.map((w) => w * (1 + 0.02 * rng.next())),
      score: weight.map((w) => -1 / w),
      amounts: [weight.map((w) => w * (1 + 0.02 * rng.next()))],
      source: Int32Array.from({ length: options }, (_, i) => i),
    };
  });
  const at = Array.from({ length: stages }, (_, v) => v);
  return {
    nodes,
    graph: {
      predecessors: at.map((v) => (v === 0 ? [] : [v - 1])),
      successors: at.map((v) => (v === stages - 1 ? [] : [v + 1])),
      awaited: at.map((v) => (v === 0 ? 0 : 1)),
      isOutput: at.map((v) => v === stages - 1),
    },
    latencyLimitMs: 1.5 * stages,
    amounts: [{ limit: 1.5 * stages }],
    goal: { kind: 'score' },
    scenarios: [{ probability: 1, visited: at.map(() => true) }],
    labelLimit,
  };
}

describe('label limit', () => {
  const proven = solveLabels(hardChain(12, 12, 1_000_000));

  it('is not met by an easy question', () => {
    expect(proven.optimal).toBe(true);
    expect(proven.upperBound).toBe(proven.incumbent?.value);
  });

  it('leaves a choice that keeps the limits and a bound that holds', () => {
    const problem = hardChain(12, 12, 30);
    const { incumbent, optimal, upperBound } = solveLabels(problem);
    const best = proven.incumbent?.value as number;
    expect(optimal).toBe(false);
    expect(choiceValue(problem, incumbent?.choice as Int32Array)).toBeCloseTo(incumbent?.value as number, 12);
    expect(incumbent?.value).toBeLessThanOrEqual(best + 1e-12);
    expect(upperBound).toBeGreaterThanOrEqual(best - 1e-12);
    expect(upperBound - (incumbent?.value as number)).toBeLessThan(0.1);
  });

  it('bounds the labels of all nodes together: 400 at each of 12 nodes prove the answer, 200 do not', () => {
    expect(solveLabels(hardChain(12, 12, 12 * 400))).toMatchObject({ optimal: true });
    expect(solveLabels(hardChain(12, 12, 12 * 200))).toMatchObject({ optimal: false });
  });

  it('does not keep an impossible question from its answer', () => {
    const tight: LabelProblem = { ...hardChain(12, 12, 30), latencyLimitMs: 12.5 };
    expect(solveLabels(tight)).toMatchObject({ optimal: true, labels: 0 });
    expect(solveLabels(tight).incumbent).toBeUndefined();
  });
});
