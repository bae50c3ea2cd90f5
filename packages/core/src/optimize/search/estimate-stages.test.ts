import { describe, expect, it } from 'vitest';
import { SeededRng } from '../../kernel/rng.js';
import { stageId, variantId } from '../../model/ids.js';
import { requireCurves } from '../../profile/service-curves.js';
import { optimize } from '../optimize.js';
import { prepareProblem } from '../options/prepared-problem.js';
import type { StageOption } from '../options/stage-option.js';
import { problemOf, testPipeline, testStage } from '../planning.test-support.js';
import { families, randomProblem } from '../random-problems.test-support.js';
import { estimateStages } from './estimate-stages.js';
import { planOf } from './plan-of.js';

const detect = testStage('detect', [
  { name: 'small', accuracy: 0.7, fixedMs: 2, perItemMs: 4 },
  { name: 'large', accuracy: 0.9, fixedMs: 4, perItemMs: 20 },
]);
const classify = testStage('classify', [{ name: 'only', accuracy: 0.8, fixedMs: 1, perItemMs: 5 }], [0.5, 1]);
const spec = testPipeline([detect, classify], [{ from: detect.id, to: classify.id, fanOut: { expected: 3 } }]);
const query = { spec, curves: requireCurves(spec, []) };

describe('what is estimated of stages', () => {
  it.each([0, 5, 20, 60])('is what the planner predicts of its own plan at %d rps', (arrivalRps) => {
    const result = optimize(problemOf(spec, arrivalRps));
    if (result.kind !== 'feasible') throw new Error(result.bindingConstraint);
    const { latencyMs, capacityRps } = result.plan.predicted;
    expect(estimateStages(query, result.plan.stages, arrivalRps)).toEqual({ latencyMs, capacityRps });
  });

  it('has no bound above the capacity, which is that of the stage that carries least', () => {
    const part = (id: string, replicas: number) => ({
      variantId: variantId(id),
      resources: { cpuCores: 1, memoryBytes: 0, gpus: 0 },
      maxBatchSize: 1,
      maxBatchWaitMs: 0,
      replicas,
      trafficFraction: 1,
    });
    const stages = { [detect.id]: [part('small', 1)], [classify.id]: [part('only', 1)] };
    const { latencyMs, capacityRps } = estimateStages(query, stages, 60);
    expect(latencyMs).toBe(Number.POSITIVE_INFINITY);
    expect(capacityRps).toBeCloseTo(1000 / 6 / 3, 9);
  });

  it('is asked of all stages only', () => {
    expect(() => estimateStages(query, { [stageId('detect')]: [] }, 1)).toThrow('stage detect has an entry');
  });

  it.each(families)('does not depend on the plans that were estimated before (%s)', (family) => {
    const { problem } = randomProblem(family, 7, {
      size: { variants: 3, replicas: 3, batches: 3 },
      estimator: 'distribution',
    });
    const prepared = prepareProblem({ ...problem });
    const { options } = prepared;
    const rng = new SeededRng(3);
    const choice = options.map((of) => of[0] as StageOption);
    for (let step = 0; step < 12; step++) {
      const s = Math.floor(rng.next() * options.length);
      const of = options[s] ?? [];
      choice[s] = of[Math.floor(rng.next() * of.length)] as StageOption;
      const known = planOf(prepared, [...choice]).predicted.latencyMs;
      const fresh = prepareProblem({ ...problem });
      expect(planOf(fresh, [...choice]).predicted.latencyMs).toBe(known);
    }
  });
});
