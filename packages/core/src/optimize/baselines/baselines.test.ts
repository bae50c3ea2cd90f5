import { describe, expect, it } from 'vitest';
import type { PipelineSpec } from '../../model/pipeline-spec.js';
import type { Plan, PlanResult } from '../../model/plan.js';
import { problemOf, testPipeline, testStage } from '../planning.test-support.js';
import { policies } from '../policies.js';
import { onBaseCores } from './base-cores.js';

const detect = testStage(
  'detect',
  [
    { name: 'small', accuracy: 0.6, fixedMs: 5, perItemMs: 40 },
    { name: 'large', accuracy: 0.8, fixedMs: 10, perItemMs: 400 },
  ],
  [1, 2, 4],
);
const classify = testStage(
  'classify',
  [
    { name: 'small', accuracy: 0.7, fixedMs: 5, perItemMs: 30 },
    { name: 'large', accuracy: 0.9, fixedMs: 10, perItemMs: 120 },
  ],
  [1, 2, 4],
);
const spec: PipelineSpec = {
  ...testPipeline([detect, classify]),
  budget: {},
  slo: { latencyMs: 2000, percentile: 99 },
};

function planOf(result: PlanResult): Plan {
  if (result.kind !== 'feasible') throw new Error(`infeasible: ${result.bindingConstraint}`);
  return result.plan;
}

const shape = (plan: Plan): readonly string[] =>
  Object.values(plan.stages).map(([s]) => `${s?.variantId} ${s?.resources.cpuCores}x${s?.replicas}`);

describe('base cores', () => {
  it('are the fewest that reach the throughput within the stage part of the SLO, growing with accuracy', () => {
    const cores = onBaseCores(problemOf(spec, 5)).stages.map((stage) => stage.variants.map((v) => v.cpuCores));
    // At 410 ms, one core serves 2.4 rps, two serve 4.55 rps.
    expect(cores).toEqual([
      [[1], [2]],
      [[1], [1]],
    ]);
  });

  it('follow the threshold of the problem', () => {
    const coresAt = (baseRps: number) =>
      onBaseCores({ ...problemOf(spec, 5), baseRps }).stages[0]?.variants.map((v) => v.cpuCores);
    expect(coresAt(1)).toEqual([[1], [1]]);
    expect(coresAt(9)).toEqual([[1], [4]]);
  });

  it('fall back to the fastest where none reaches it', () => {
    const tight = { ...spec, slo: { latencyMs: 100, percentile: 99 } };
    expect(onBaseCores(problemOf(tight, 5)).stages[0]?.variants[1]?.cpuCores).toEqual([4]);
  });
});

describe('baselines of the literature', () => {
  it('ipa weighs accuracy against cost', () => {
    // IPA takes higher accuracy if it costs no extra core. It does not pay a core for 0.2 of accuracy.
    expect(shape(planOf(policies.ipa(problemOf(spec, 5))))).toEqual(['small 1x1', 'large 1x1']);
    const objective = { kind: 'weights', accuracy: 100, cost: 1, batch: 1e-6 } as const;
    expect(shape(planOf(policies.ipa(problemOf(spec, 5, { objective }))))).toEqual(['large 2x2', 'large 1x1']);
  });

  it('fa2 freezes variants and follows the rate with replicas', () => {
    expect(shape(planOf(policies['fa2-low'](problemOf(spec, 20))))).toEqual(['small 1x1', 'small 1x1']);
    expect(shape(planOf(policies['fa2-high'](problemOf(spec, 5))))).toEqual(['large 2x2', 'large 1x1']);
  });

  it('fa2 keeps a variant that the owner pinned', () => {
    const pinned = { ...spec, stages: [detect, { ...classify, pins: { variantId: 'small' as never } }] };
    expect(shape(planOf(policies['fa2-high'](problemOf(pinned, 5))))[1]).toMatch(/^small/);
  });

  it('rim keeps three replicas by default and gives up accuracy as the rate rises', () => {
    expect(shape(planOf(policies.rim(problemOf(spec, 5))))).toEqual(['large 2x3', 'large 1x3']);
    expect(shape(planOf(policies.rim(problemOf(spec, 40))))).toEqual(['small 1x3', 'small 1x3']);
    expect(policies.rim(problemOf(spec, 400)).kind).toBe('infeasible');
  });

  it('rim keeps the replicas that are pinned', () => {
    const stages = [
      { ...detect, pins: { replicas: 5 } },
      { ...classify, pins: { replicas: 2 } },
    ];
    expect(shape(planOf(policies.rim(problemOf({ ...spec, stages }, 5))))).toEqual(['large 2x5', 'large 1x2']);
  });

  it('reports the sum of tails as its claim', () => {
    const result = policies.ipa(problemOf(spec, 5));
    if (result.kind !== 'feasible') throw new Error('infeasible');
    expect(result.certificate).toMatchObject({ theta: 1, kappa: 1, optimal: true });
  });
});

describe('verified', () => {
  const verdict = { latencyMs: 1, percentile: 99, sloAttainmentFraction: 1, conclusive: true, seeds: [1] };
  const planned = (result: PlanResult) => (result.kind === 'feasible' ? result.plan : result.bestEffort);

  it.each(Object.entries(policies))(
    'is on every plan of %s, feasible or best effort, and only if asked for',
    (_, policy) => {
      const small = { ...spec, budget: { cpuCores: 40 } };
      for (const arrivalRps of [5, 10_000]) {
        const problem = problemOf(small, arrivalRps);
        expect(planned(policy(problem, () => verdict))?.verified, `at ${arrivalRps} rps`).toEqual(verdict);
        expect(planned(policy(problem))?.stages).toBeDefined();
        expect(planned(policy(problem))?.verified).toBeUndefined();
      }
    },
  );
});
