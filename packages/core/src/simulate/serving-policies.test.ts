import { expect, it } from 'vitest';
import { type StageId, stageId, variantId } from '../model/ids.js';
import type { PipelineSpec, StageSpec } from '../model/pipeline-spec.js';
import type { StagePlan } from '../model/plan.js';
import { chainSpec } from '../model/spec-builders.test-support.js';
import { requireCurves } from '../profile/service-curves.js';
import type { BatchPolicy } from '../serve/batch-policy.js';
import { ServingPolicies } from './serving-policies.js';

const [detect, classify] = [stageId('detect'), stageId('classify')];
const spec = chainSpec({
  detect: [
    { cpuCores: 1, batchSize: 1, meanMs: 20 },
    { cpuCores: 2, batchSize: 1, meanMs: 5 },
  ],
  classify: [{ cpuCores: 1, batchSize: 1, meanMs: 4 }],
});

const planOn = (cpuCores: number): StagePlan => ({
  variantId: variantId('v'),
  resources: { cpuCores, memoryBytes: 0, gpus: 0 },
  maxBatchSize: 1,
  maxBatchWaitMs: 0,
  replicas: 1,
  trafficFraction: 1,
});

it('sets the drop rule of a stage that changed and of those before it, and of none that does not serve', () => {
  const inForce = new Map<StageId, BatchPolicy>();
  const policies = new ServingPolicies(spec, requireCurves(spec, []), (id, policy) => inForce.set(id, policy));

  policies.adopt(detect, planOn(1));
  expect([...inForce.keys()]).toEqual([detect]);
  expect(inForce.get(detect)).toMatchObject({ expectedServiceMs: [0, 20], remainingMs: 0 });

  policies.adopt(classify, planOn(1));
  expect(inForce.get(detect)).toMatchObject({ expectedServiceMs: [0, 20], remainingMs: 4 });
  expect(inForce.get(classify)).toMatchObject({ expectedServiceMs: [0, 4], remainingMs: 0 });

  policies.adopt(detect, planOn(2));
  expect(inForce.get(detect)).toMatchObject({ expectedServiceMs: [0, 5], remainingMs: 4 });
});

it('sets the drop rules of all stages that serve where their service times turn out to be others', () => {
  const inForce = new Map<StageId, BatchPolicy>();
  const curves = requireCurves(spec, []);
  const policies = new ServingPolicies(spec, curves, (id, policy) => inForce.set(id, policy));
  policies.adopt(detect, planOn(1));
  const slower = chainSpec({
    detect: [{ cpuCores: 1, batchSize: 1, meanMs: 40 }],
    classify: [{ cpuCores: 1, batchSize: 1, meanMs: 6 }],
  });

  policies.follow(requireCurves(slower, []));
  expect([...inForce.keys()]).toEqual([detect]);
  expect(inForce.get(detect)).toMatchObject({ expectedServiceMs: [0, 40], remainingMs: 0 });

  policies.adopt(classify, planOn(1));
  expect(inForce.get(detect)).toMatchObject({ expectedServiceMs: [0, 40], remainingMs: 6 });

  inForce.clear();
  policies.follow(curves);
  expect(inForce.get(detect)).toMatchObject({ expectedServiceMs: [0, 20], remainingMs: 4 });
  expect(inForce.get(classify)).toMatchObject({ expectedServiceMs: [0, 4], remainingMs: 0 });

  inForce.clear();
  policies.follow(curves);
  expect(inForce.size).toBe(0);
});

it('grants a batch no more than 10 times the SLO (or 1 s) on a busy machine, nor more than the time limit of its stage', () => {
  const limits: unknown[] = [];
  const [first, ...others] = spec.stages;
  const stages = [{ ...(first as StageSpec), runTimeoutMs: 600 }, ...others];
  const short: PipelineSpec = { ...spec, stages, slo: { latencyMs: 90, percentile: 99 } };
  const policies = new ServingPolicies(short, requireCurves(short, []), (_, { hungAfterMs, hungAtMostMs }) =>
    limits.push([hungAfterMs, hungAtMostMs]),
  );
  policies.adopt(detect, planOn(1));
  policies.adopt(classify, planOn(1));
  expect(limits.slice(1)).toEqual([
    [
      [0, 400],
      [0, 600],
    ],
    [
      [0, 400],
      [0, 1000],
    ],
  ]);
});

it('waits longer for a batch under a CPU quota before it counts as hung', () => {
  const limits: unknown[] = [];
  const setPolicy = (_: StageId, { hungAfterMs, hungAtMostMs }: BatchPolicy) =>
    limits.push([hungAfterMs, hungAtMostMs]);
  const policies = new ServingPolicies(spec, requireCurves(spec, []), setPolicy, { quotaFraction: 0.2 });
  policies.adopt(detect, planOn(1));
  expect(limits).toEqual([
    [
      [0, 2_000],
      [0, 5_000],
    ],
  ]);
});

it('waits longer for a server elsewhere that has less than a core', () => {
  const limits: unknown[] = [];
  const [first, ...others] = spec.stages as [StageSpec, ...StageSpec[]];
  const variants = first.variants.map((variant) => ({ ...variant, server: { url: 'http://a' }, cpuCores: [0.2] }));
  const placed = { ...spec, stages: [{ ...first, variants } as unknown as StageSpec, ...others] };
  const policies = new ServingPolicies(placed, requireCurves(placed, []), (_, { hungAfterMs }) =>
    limits.push(hungAfterMs),
  );
  policies.adopt(detect, { ...planOn(1), resources: { ...planOn(1).resources, cpuCores: 0.2 } });
  expect(limits).toEqual([[0, 2_000]]);
});

it('keeps the service times of an omitted stage, whose last requests still run', () => {
  const inForce = new Map<StageId, BatchPolicy>();
  const policies = new ServingPolicies(spec, requireCurves(spec, []), (id, policy) => inForce.set(id, policy));
  policies.adopt(classify, planOn(1));
  policies.adopt(detect, planOn(2));
  policies.adopt(detect, { ...planOn(1), replicas: 0 });
  expect(inForce.get(detect)).toMatchObject({ expectedServiceMs: [0, 5], isOmitted: true });
});
