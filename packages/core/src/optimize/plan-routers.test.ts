import { describe, expect, it } from 'vitest';
import { stageId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import { oneRouter, planOfRouter, planOfRouters, specOfRouter, usualSplit } from '../model/router-split.js';
import { optimize } from './optimize.js';
import { problemOfRouter, resultOfRouters, routerCapacityRps, routersFor, splitFor } from './plan-routers.js';
import { problemOf } from './planning.test-support.js';
import { foundPlan, splitSpec } from './split-plans.test-support.js';
import { canPack } from './surrogate/node-packing.js';

const four = usualSplit(4);

const planAt = (spec: PipelineSpec, arrivalRps: number, split = four) =>
  resultOfRouters(optimize(problemOfRouter(problemOf(spec, arrivalRps), split)), split);

describe('a plan for several routers', () => {
  it('is that of the planner, unchanged, for one router', () => {
    const problem = problemOf(splitSpec, 60);
    expect(problemOfRouter(problem, oneRouter)).toBe(problem);
    const result = optimize(problem);
    expect(resultOfRouters(result, oneRouter)).toBe(result);
    expect(specOfRouter(splitSpec, oneRouter)).toBe(splitSpec);
  });

  it('gives every router an equal share, within the budget, at the prices of the pipeline', () => {
    const plan = foundPlan(planAt({ ...splitSpec, prices: { ...splitSpec.prices, cpuCorePerHour: 0.04 } }, 240));
    const parts = Object.values(plan.stages).flat();
    const cpuCores = parts.reduce((sum, { replicas, resources }) => sum + replicas * resources.cpuCores, 0);
    expect(plan.routers).toBe(4);
    expect(parts.every(({ replicas }) => replicas % 4 === 0)).toBe(true);
    expect(plan.predicted.cpuCores).toBeCloseTo(cpuCores, 9);
    expect(plan.predicted.costPerHour).toBeCloseTo(0.04 * cpuCores, 9);
    // The router with the most load has 30 % of it.
    expect(plan.predicted.capacityRps).toBeGreaterThan(240);
    expect(planOfRouters(planOfRouter(plan, four), four)).toEqual(plan);
  });

  it('costs more than a plan for one router, and more if shares are less even', () => {
    const costOf = (split: typeof four) => foundPlan(planAt(splitSpec, 240, split)).predicted.costPerHour;
    const [one, even, uneven] = [oneRouter, { ...four, unevenFraction: 0 }, { ...four, unevenFraction: 0.8 }].map(
      costOf,
    );
    expect(even).toBeGreaterThan(one as number);
    expect(uneven).toBeGreaterThan(even as number);
  });

  it('needs a replica of each stage for each router', () => {
    const result = planAt({ ...splitSpec, budget: { cpuCores: 7 } }, 1);
    expect(result).toMatchObject({
      kind: 'infeasible',
      bindingConstraint: 'budget',
      fixes: { budget: { cpuCores: 8 } },
    });
    expect(planAt({ ...splitSpec, budget: { cpuCores: 8 } }, 1).kind).toBe('feasible');
  });

  it('divides pinned replicas, minimum and maximum', () => {
    const [detect, label] = splitSpec.stages as readonly [PipelineSpec['stages'][0], PipelineSpec['stages'][0]];
    const bounds = { ...label.bounds, minReplicas: 6, maxReplicas: 9 };
    const spec = {
      ...splitSpec,
      stages: [
        { ...detect, pins: { replicas: 12 } },
        { ...label, bounds },
      ],
    };
    const { stages } = foundPlan(planAt(spec, 20));
    expect(stages[stageId('detect')]?.[0]?.replicas).toBe(12);
    expect(stages[stageId('label')]?.[0]?.replicas).toBe(8);
  });

  it('fits on the machines together with the plans of the other routers', () => {
    const machine = { count: 4, cpuCores: 2, memoryBytes: 1e12, gpus: 0 };
    const spec = { ...splitSpec, nodes: [machine] };
    const plan = foundPlan(planAt(spec, 1));
    expect(canPack(Object.values(plan.stages).flat(), spec.nodes)).toBe(true);
    expect(planAt({ ...spec, nodes: [{ ...machine, count: 3 }] }, 1).kind).not.toBe('feasible');
  });
});

describe('routersFor', () => {
  const need = (fraction: number, current?: number) =>
    routersFor({ arrivalRps: fraction * routerCapacityRps, unevenFraction: 0.2, ...(current && { current }) });

  it('adds routers where one would be too busy, and none for availability', () => {
    expect([0.01, 0.69, 0.71, 1.1, 1.2, 12].map((fraction) => need(fraction))).toEqual([1, 1, 2, 2, 3, 21]);
    expect(need(1e6)).toBe(64);
  });

  it('keeps the number while it is enough and the load is near the limit', () => {
    expect(need(0.65, 2)).toBe(2);
    expect(need(0.5, 2)).toBe(1);
    expect(need(0.71, 1)).toBe(2);
    expect(need(1.1, 3)).toBe(3);
  });
});

describe('splitFor', () => {
  const specWith = (maxReplicas: number) =>
    ({
      routers: 'auto',
      stages: [{ id: 'detect', bounds: { minReplicas: 1, maxReplicas }, pins: {} }],
    }) as unknown as PipelineSpec;

  it('with `auto`, has as many routers as the load needs and the bounds of the stages allow', () => {
    const countWith = (maxReplicas: number) => splitFor(specWith(maxReplicas), { arrivalRps: 40_000 }).count;
    expect(countWith(64)).toBeGreaterThan(3);
    expect([countWith(3), countWith(1)]).toEqual([3, 1]);
  });
});
