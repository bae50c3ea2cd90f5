import { describe, expect, it } from 'vitest';
import { stageId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import { isSameSpec, needsRestart } from './changeable-spec.js';

const stage = {
  id: stageId('a'),
  kind: 'model' as const,
  variants: [],
  bounds: { minReplicas: 1, maxReplicas: 4, maxBatchWaitMs: 0 },
  pins: {},
};
const served: PipelineSpec = {
  name: 'p',
  baseDir: '.',
  slo: { latencyMs: 200, percentile: 99 },
  budget: { cpuCores: 2 },
  prices: { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 },
  objective: { kind: 'max-accuracy' },
  sources: [],
  stages: [stage],
  edges: [],
  outputs: [],
  control: { mode: 'auto', intervalMs: 10_000, minDwellMs: 0 },
  admission: { maxQueueLength: 100 },
};

describe('a pipeline that is served', () => {
  it.each<[string, Partial<PipelineSpec>]>([
    ['the latency of its SLO', { slo: { latencyMs: 300, percentile: 99 } }],
    ['its budget', { budget: { cpuCores: 4, memoryBytes: 1 } }],
    ['its objective', { objective: { kind: 'min-cost', accuracyFloor: 0.5 } }],
    ['machines', { nodes: [] }],
    ['how the loop acts', { control: { mode: 'off', intervalMs: 1000, minDwellMs: 5, surgeCpuCores: 1 } }],
    ['bounds on what waits', { admission: { maxQueueLength: 1, priorities: { shares: [0], default: 1 } } }],
    [
      'bounds and pins of a stage',
      { stages: [{ ...stage, bounds: { ...stage.bounds, maxReplicas: 2 }, pins: { replicas: 2 } }] },
    ],
  ])('may change %s', (_, change) => {
    const wanted = { ...served, ...change };
    expect(needsRestart(served, wanted)).toEqual([]);
    expect(isSameSpec(served, wanted)).toBe(false);
    expect(isSameSpec(wanted, structuredClone(wanted))).toBe(true);
  });

  it.each<[Partial<PipelineSpec>, readonly string[]]>([
    [{ slo: { latencyMs: 200, percentile: 95 } }, ['slo.percentile']],
    [{ name: 'q', budget: {} }, ['name']],
    [{ sources: [{ name: 'in', to: [], tensors: [] }], outputs: [{ from: stage.id }] }, ['sources', 'outputs']],
    [{ evaluation: { module: 'm', dataPath: 'd' } }, ['evaluation']],
    [{ stages: [] }, ['stages']],
    [{ stages: [{ ...stage, id: stageId('b') }] }, ['stages']],
    [{ stages: [{ ...stage, module: './m.js', kind: 'transform' }] }, ['stages.a.kind', 'stages.a.module']],
  ])('needs a restart for %j', (change, places) => {
    expect(needsRestart(served, { ...served, ...change })).toEqual(places);
  });
});
