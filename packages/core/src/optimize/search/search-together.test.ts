import { describe, expect, it } from 'vitest';
import { stageId, type VariantId } from '../../model/ids.js';
import type { Objective } from '../../model/pipeline-spec.js';
import { optimize } from '../optimize.js';
import { type Preparation, preparation, relaxation } from '../options/prepared-problem.js';
import { problemOf, testPipeline, testStage } from '../planning.test-support.js';
import type { PlanningProblem } from '../planning-problem.js';
import { planCases } from '../problem/plan-cases.js';
import { boundedCases } from './relaxation-bound.js';
import { searchTogether } from './search-together.js';

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

/** A join of three stages, of which one is optional, waits for one or two of them. */
function joinWithQuorums(): PlanningProblem {
  const names = ['left', 'right', 'spare', 'joins'] as const;
  const stages = names.map((name) => {
    const stage = testStage(name, [{ name: 'only', accuracy: 0.8, fixedMs: 1, perItemMs: 1 }]);
    return name === 'spare' ? { ...stage, optional: true as const } : stage;
  });
  const join = { quorum: 1, quorums: [1, 2] };
  const edges = names.slice(0, 3).map((name) => ({ from: stageId(name), to: stageId('joins'), join }));
  const combinations = ['only', 'omitted'].flatMap((spare) =>
    [1, 2].map((quorum) => ({
      variants: { left: 'only', right: 'only', spare, joins: `only with quorum ${quorum}` },
      accuracy: 0.6 + 0.1 * quorum + (spare === 'only' ? 0.05 : 0),
    })),
  ) as unknown as NonNullable<PlanningProblem['spec']['accuracyTable']>['combinations'];
  const objective: Objective = { kind: 'min-cost', accuracyFloor: 0 };
  const spec = { ...testPipeline(stages, edges), objective, accuracyTable: { combinations } };
  return problemOf(spec, 10, { estimator: 'sum-of-tails' });
}

describe('two searches over cases with quorums', () => {
  const cases = planCases(joinWithQuorums());
  const asked: PlanningProblem[] = [];
  const recorded = (of: Preparation): Preparation => ({
    ...of,
    options: (problem, known) => {
      asked.push(problem);
      return of.options(problem, known);
    },
  });
  const search = (of: Preparation) =>
    searchTogether(cases, { preparation: recorded(of), factors: { theta: 1, kappa: 1 }, onlyValue: false });
  const [bound, solution] = [search(relaxation), search(preparation)];

  it('ask for the least options once per set of stages, for all quorums', () => {
    expect(cases).toHaveLength(4);
    expect(asked).toHaveLength(4);
    expect(new Set(asked.map(({ omitted }) => omitted?.length))).toEqual(new Set([0, 1]));
  });

  it('ask for those of the same loads', () => {
    expect(new Set(asked).size).toBe(2);
  });

  it.each([bound, solution])('return the case of the choice as they prepared it', ({ caseIndex, prepared }) => {
    expect(prepared?.problem).toBe(cases[caseIndex]);
  });
});
