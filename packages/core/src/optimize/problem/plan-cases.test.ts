import { describe, expect, it } from 'vitest';
import { stageId } from '../../model/ids.js';
import type { PipelineSpec } from '../../model/pipeline-spec.js';
import { problemOf, testPipeline, testStage } from '../planning.test-support.js';
import type { PlanningProblem } from '../planning-problem.js';
import { planCases } from './plan-cases.js';

const [LEFT, SPARE, JOINS] = [stageId('left'), stageId('spare'), stageId('joins')];

/** A join of two stages, of which one is optional. */
function joinWithOptional(): PlanningProblem {
  const stages = [LEFT, SPARE, JOINS].map((id) => {
    const stage = testStage(id, [{ name: 'only', accuracy: 0.8, fixedMs: 1, perItemMs: 1 }]);
    return id === SPARE ? { ...stage, optional: true as const } : stage;
  });
  const edges = [LEFT, SPARE].map((from) => ({ from, to: JOINS, join: 'any' as const }));
  const combinations = ['only', 'omitted'].map((spare, at) => ({
    variants: { left: 'only', spare, joins: 'only' },
    accuracy: 0.9 - 0.1 * at,
  })) as unknown as NonNullable<PipelineSpec['accuracyTable']>['combinations'];
  return problemOf({ ...testPipeline(stages, edges), accuracyTable: { combinations } }, 10);
}

const omittedOf = (problem: PlanningProblem) => planCases(problem).map(({ omitted }) => omitted?.map(({ id }) => id));

describe('cases of a pipeline', () => {
  const problem = joinWithOptional();
  const cases = planCases(problem);

  it('are divided once for all loads and limits', () => {
    const later = planCases({ ...problem, arrivalRps: 20, budget: { cpuCores: 1 } });
    expect(later.map(({ omitted }) => omitted?.length)).toEqual([0, 1]);
    expect(later.every(({ spec }, index) => spec === cases[index]?.spec)).toBe(true);
    expect(later.map(({ arrivalRps, budget }) => ({ arrivalRps, budget }))).toEqual(
      cases.map(() => ({ arrivalRps: 20, budget: { cpuCores: 1 } })),
    );
  });

  it('follow the pins', () => {
    expect(omittedOf({ ...problem, pins: { [SPARE]: { omitted: true } } })).toEqual([[SPARE]]);
    expect(omittedOf({ ...problem, pins: { [SPARE]: { omitted: false } } })).toEqual([undefined]);
    expect(omittedOf(problem)).toEqual([[], [SPARE]]);
  });

  it('are not divided further, although one has the spec of the whole pipeline', () => {
    expect(cases.map(({ spec }) => spec === problem.spec)).toEqual([true, false]);
    expect(cases.map(omittedOf)).toEqual([[[]], [[SPARE]]]);
    expect(omittedOf(problem)).toEqual([[], [SPARE]]);
  });
});
