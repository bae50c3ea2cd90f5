import { describe, expect, it } from 'vitest';
import { SeededRng } from '../../kernel/rng.js';
import { stageId } from '../../model/ids.js';
import type { Objective } from '../../model/pipeline-spec.js';
import { labelGraph } from '../labels/label-graph.js';
import { prepareProblem } from '../options/prepared-problem.js';
import { type SurrogateProblem, surrogateProblem } from '../options/surrogate.js';
import { problemOf, testPipeline, testStage } from '../planning.test-support.js';
import { solve } from './solve.js';

const VARIANTS = 8;

/** Branches that begin together and end in one join. Each has two stages of eight variants. */
function branches(count: number, seed: number, objective: Objective): SurrogateProblem {
  const rng = new SeededRng(seed);
  const between = (low: number, high: number): number => low + (high - low) * rng.next();
  const variants = () => {
    let [ms, accuracy] = [between(3, 8), between(0.6, 0.75)];
    return Array.from({ length: VARIANTS }, (_, i) => {
      const variant = { name: `v${i}`, accuracy, fixedMs: 0.6 * ms, perItemMs: 0.4 * ms, tail: 1.5 };
      ms *= between(1.15, 1.5);
      accuracy += between(0.03, 0.12) * (1 - accuracy);
      return variant;
    });
  };
  const stages = [...Array.from({ length: 2 * count }, (_, i) => `s${i}`), 'join'].map((name) =>
    testStage(name, variants()),
  );
  const edges = stages.slice(0, count).flatMap(({ id }, i) => {
    const second = stageId(`s${count + i}`);
    return [
      { from: id, to: second },
      { from: second, to: stageId('join') },
    ];
  });
  const limits = { slo: { latencyMs: 130, percentile: 99 }, budget: { cpuCores: 3.2 * stages.length } };
  const spec = { ...testPipeline(stages, edges), ...limits, objective };
  return surrogateProblem(prepareProblem(problemOf(spec, 30)), { theta: 0.6, kappa: 1 });
}

describe('parallel branches', () => {
  it('are walked one by one, whatever the order of the file', () => {
    const { graph } = branches(3, 1, { kind: 'max-accuracy' });
    expect(labelGraph(graph).order).toEqual([0, 3, 1, 4, 2, 5, 6]);
  });

  it.each([
    [3, 6_000],
    [6, 50_000],
  ])('%i of two stages need few labels', (count, most) => {
    for (const seed of [1, 2]) {
      const accurate = solve(branches(count, seed, { kind: 'max-accuracy' }));
      expect(accurate).toMatchObject({ optimal: true });
      expect(accurate.labels).toBeLessThan(most);
      const cheap = solve(branches(count, seed, { kind: 'min-cost', accuracyFloor: 0.72 ** (2 * count + 1) }));
      expect(cheap).toMatchObject({ optimal: true });
      expect(cheap.labels).toBeLessThan(most);
    }
  });
});
