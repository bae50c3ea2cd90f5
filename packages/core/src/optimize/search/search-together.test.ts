import { describe, expect, it } from 'vitest';
import { stageId, type VariantId } from '../../model/ids.js';
import type { Objective } from '../../model/pipeline-spec.js';
import { optimize } from '../optimize.js';
import { problemOf, testPipeline, testStage } from '../planning.test-support.js';
import type { PlanningProblem } from '../planning-problem.js';
import { boundedCases } from './relaxation-bound.js';

const [DECIDES, ASKED] = [stageId('decides'), stageId('asked')];

/** At the threshold 0.5, a tenth of the requests reach `asked`, which needs most of the cores. At 0.9, all do. */
function cascade(objective: Objective, more: Partial<PlanningProblem> = {}): PlanningProblem {
  const stages = [
    testStage('decides', [{ name: 'tiny', accuracy: 0.7, fixedMs: 1, perItemMs: 1 }]),
    testStage('asked', [{ name: 'deep', accuracy: 0.9, fixedMs: 1, perItemMs: 40 }]),
  ];
  const byVariant = { 'tiny at 0.5': 0.1, 'tiny at 0.9': 1 } as Readonly<Record<VariantId, number>>;
  const when = { condition: 'output.score < threshold', thresholds: [0.5, 0.9], probability: 0.55, byVariant };
  const spec = testPipeline(stages, [{ from: DECIDES, to: ASKED, when }]);
  const combinations = [
    { variants: { [DECIDES]: 'tiny at 0.5', [ASKED]: 'deep' }, accuracy: 0.8 },
    { variants: { [DECIDES]: 'tiny at 0.9', [ASKED]: 'deep' }, accuracy: 0.9 },
  ] as unknown as NonNullable<typeof spec.accuracyTable>['combinations'];
  const problem = { ...spec, objective, accuracyTable: { combinations }, slo: { latencyMs: 1000, percentile: 99 } };
  return problemOf(problem, 60, { estimator: 'sum-of-tails', ...more });
}

describe('one search over all cases', () => {
  it.each([
    ['the cheapest one', { kind: 'min-cost', accuracyFloor: 0.7 }, 0.5],
    ['the cheapest one that reaches the floor', { kind: 'min-cost', accuracyFloor: 0.85 }, 0.9],
    ['the most accurate one', { kind: 'max-accuracy' }, 0.9],
    ['the best trade', { kind: 'weights', accuracy: 1, cost: 1, batch: 0 }, 0.5],
  ] as const)('finds %s, although loads differ', (_, objective, threshold) => {
    const result = optimize(cascade(objective));
    expect(result).toMatchObject({ kind: 'feasible', plan: { stages: { decides: [{ threshold }] } } });
  });

  it('finds the less accurate case if the budget allows no more', () => {
    const result = optimize(cascade({ kind: 'max-accuracy' }, { budget: { cpuCores: 2 } }));
    expect(result).toMatchObject({ kind: 'feasible', plan: { stages: { decides: [{ threshold: 0.5 }] } } });
  });

  it.each<Objective>([
    { kind: 'min-cost', accuracyFloor: 0.7 },
    { kind: 'max-accuracy' },
    { kind: 'weights', accuracy: 1, cost: 1, batch: 0 },
  ])('bounds the value as the best relaxation of a case does ($kind)', (objective) => {
    const [each] = boundedCases(cascade(objective, { estimator: 'distribution' }));
    const [together] = boundedCases(cascade(objective, { estimator: 'distribution' }), false);
    expect(together?.bound).toBeCloseTo(each?.bound ?? Number.NaN, 9);
    expect(together?.problem.thresholds).toEqual(each?.problem.thresholds);
  });
});
