/** A pipeline of one stage and one variant, and a question about it. */
import { type PipelineSpec, stageId, variantId } from '@equipoise/core/model';

const spec: PipelineSpec = {
  name: 'p',
  baseDir: '.',
  slo: { latencyMs: 200, percentile: 99 },
  budget: { cpuCores: 2 },
  prices: { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 },
  objective: { kind: 'max-accuracy' },
  sources: [{ name: 'input', to: [stageId('a')], tensors: [] }],
  stages: [
    {
      id: stageId('a'),
      kind: 'model',
      variants: [
        {
          id: variantId('v'),
          accuracy: { value: 0.8, metric: 'f1' },
          cpuCores: [1],
          memoryBytes: 0,
          gpus: 0,
          profile: [{ cpuCores: 1, batchSize: 1, meanMs: 10, p99Ms: 12 }],
          parameters: {},
        },
      ],
      bounds: { minReplicas: 1, maxReplicas: 4, maxBatchWaitMs: 0 },
      pins: {},
    },
  ],
  edges: [],
  outputs: [{ from: stageId('a') }],
  control: { mode: 'auto', intervalMs: 10_000, minDwellMs: 0 },
  admission: { maxQueueLength: 100 },
};

export const onePipelineSetup = { spec, profiles: [], hostCores: 2, seed: 1 };
/** A plan for 20 requests per second. */
export const onePlanTask = { kind: 'plan', policy: 'equipoise', arrivalRps: 20, verify: true } as const;
