import type { PipelineSpec } from '@equipoise/core/model';
import { stageNamed } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import { plannedHostCores } from './plan-verification.js';
import { servingHostCores, servingSpec } from './served-spec.js';

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

  it('do not bind replicas that only wait', () => {
    const synthetic = specOf(8, {});
    expect(servingSpec(synthetic, 2)).toBe(synthetic);
    expect(servingHostCores(synthetic, 2)).toBe(8);
  });
});
