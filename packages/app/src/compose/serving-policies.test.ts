import { join } from 'node:path';
import {
  type BatchPolicy,
  curvesOf,
  profileError,
  type StageId,
  type StagePlan,
  stageId,
  variantId,
} from '@equipoise/core';
import { afterAll, expect, it } from 'vitest';
import { syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { loadSpec } from './load-spec.js';
import { ServingPolicies } from './serving-policies.js';

const folder = new TestFolder();
const [detect, classify] = [stageId('detect'), stageId('classify')];

const planOf = (variant: string, maxBatchSize = 1): StagePlan => ({
  variantId: variantId(variant),
  resources: { cpuCores: 1, memoryBytes: 0, gpus: 0 },
  maxBatchSize,
  maxBatchWaitMs: 0,
  replicas: 1,
  trafficFraction: 1,
});

const about = (ms: number): unknown => expect.closeTo(ms, 6);

afterAll(() => folder.remove());

it('sets the drop rule of a stage that changed and of those before it, and of none that does not serve', async () => {
  folder.write('pipeline.yaml', syntheticPipeline());
  const spec = await loadSpec(join(folder.path, 'pipeline.yaml'));
  const curves = curvesOf(spec, []);
  if (curves.kind === 'invalid') throw profileError(curves.problems);
  const inForce = new Map<StageId, BatchPolicy>();
  const policies = new ServingPolicies(spec, curves, { setPolicy: (id, policy) => inForce.set(id, policy) });

  policies.adopt(detect, planOf('large'));
  expect([...inForce.keys()]).toEqual([detect]);
  expect(inForce.get(detect)).toMatchObject({ expectedServiceMs: [0, about(20)], remainingMs: 0 });

  policies.adopt(classify, planOf('only'));
  expect(inForce.get(detect)).toMatchObject({ expectedServiceMs: [0, about(20)], remainingMs: about(4) });
  expect(inForce.get(classify)).toMatchObject({ expectedServiceMs: [0, about(4)], remainingMs: 0 });

  policies.adopt(detect, planOf('small'));
  expect(inForce.get(detect)).toMatchObject({ expectedServiceMs: [0, about(5)], remainingMs: about(4) });
});
