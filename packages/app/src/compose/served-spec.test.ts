import type { PipelineSpec } from '@equipoise/core/model';
import { stageNamed, variantNamed } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import { plannedHostCores } from './plan-verification.js';
import { servedSpec, servingHostCores, servingSpec } from './served-spec.js';

const bounds = { minReplicas: 1, maxReplicas: 64, maxBatchWaitMs: 0 };

const specOf = (cpuCores: number | undefined, over: Parameters<typeof stageNamed>[2] = { module: './stage.js' }) =>
  ({
    budget: cpuCores === undefined ? {} : { cpuCores, memoryBytes: 7 },
    stages: [stageNamed('detect', [], over)],
  }) as unknown as PipelineSpec;

describe('the cores of this machine', () => {
  it('cap the CPU budget that plans are made for, and nothing else of the budget', () => {
    expect(servingSpec(specOf(8), 2).budget).toEqual({ cpuCores: 2, memoryBytes: 7 });
    expect(servingSpec(specOf(undefined), 2).budget).toEqual({ cpuCores: 2 });
    const small = specOf(1.5);
    expect(servingSpec(small, 2)).toBe(small);
  });

  it('bound what computes at once, not what was planned for', () => {
    expect([servingHostCores(specOf(8), 2), servingHostCores(specOf(1.5), 4)]).toEqual([2, 2]);
    expect(plannedHostCores(specOf(8))).toBe(8);
  });

  it('are not planned for further replicas of a stage that follows addresses', () => {
    const server = { urls: ['http://pods:1'], replicas: 'addresses', model: 'm', batching: 'stack' } as const;
    const followed = {
      ...specOf(8, {}),
      sources: [],
      edges: [],
      outputs: [],
      admission: {},
      slo: { latencyMs: 100, percentile: 99 },
      stages: [stageNamed('detect', [variantNamed('v', { server })], { bounds: { ...bounds, maxReplicas: 9 } })],
    } as unknown as PipelineSpec;
    const { spec, setup } = servedSpec(followed, []);
    expect(setup.spec.stages[0]?.bounds).toMatchObject({ minReplicas: 1, maxReplicas: 1 });
    expect(spec.stages[0]?.bounds.maxReplicas).toBe(9);
  });

  it('do not bind replicas that only wait', () => {
    const synthetic = specOf(8, {});
    expect(servingSpec(synthetic, 2)).toBe(synthetic);
    expect(servingHostCores(synthetic, 2)).toBe(8);
  });
});
