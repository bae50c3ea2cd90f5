import { stageId, variantId } from '../model/ids.js';
import type { EdgeSpec, PipelineSpec, StageSpec } from '../model/pipeline-spec.js';
import { type ServiceCurve, serviceCurve } from '../profile/service-curves.js';
import type { ServiceLaw } from '../profile/service-law.js';

/** Model stage on one core with one variant `v` of accuracy 0.9. */
export function modelStage(name: string): StageSpec {
  return {
    id: stageId(name),
    kind: 'model',
    variants: [
      {
        id: variantId('v'),
        accuracy: { value: 0.9, metric: 'top1' },
        cpuCores: [1],
        memoryBytes: 0,
        gpus: 0,
        parameters: {},
      },
    ],
    bounds: { minReplicas: 1, maxReplicas: 64, maxBatchWaitMs: 0 },
    pins: {},
  };
}

/** Edge `a->b`; `*K` appended makes a fan-out of K, `!` a join. */
function edge(text: string): EdgeSpec {
  const [, from = '', to = '', fanOut, join] = /^(\w+)->(\w+)(?:\*([\d.]+))?(!)?$/.exec(text) ?? [];
  return {
    from: stageId(from),
    to: stageId(to),
    ...(fanOut === undefined ? {} : { fanOut: { expected: Number(fanOut) } }),
    ...(join === undefined ? {} : { join: 'all' as const }),
  };
}

/** Pipeline of model stages. The source enters the first stage. `outputs` names the stages that answer. */
export function pipeline(
  stages: readonly StageSpec[],
  edges: readonly string[],
  outputs: readonly string[],
): PipelineSpec {
  return {
    name: 'test',
    baseDir: '.',
    slo: { latencyMs: 400, percentile: 99 },
    budget: {},
    prices: { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 },
    objective: { kind: 'max-accuracy' },
    sources: [{ name: 'in', to: stages.slice(0, 1).map((stage) => stage.id), tensors: [] }],
    stages,
    edges: edges.map(edge),
    outputs: outputs.map((name) => ({ from: stageId(name) })),
    control: { mode: 'auto', intervalMs: 10_000, minDwellMs: 0, canary: false },
    admission: { maxQueueLength: 1000 },
  };
}

/**
 * Curve with mean fixedMs + perItemMs · k for every k up to `maxBatchSize`. `shape` turns a mean into a law; default
 * constant.
 */
export function affineCurve(
  times: {
    readonly fixedMs: number;
    readonly perItemMs: number;
    readonly maxBatchSize: number;
    readonly cpuCores?: number;
  },
  shape: (meanMs: number) => ServiceLaw = (ms) => ({ kind: 'constant', ms }),
): ServiceCurve {
  const cpuCores = times.cpuCores ?? 1;
  const points = Array.from({ length: times.maxBatchSize }, (_, i) => ({
    batchSize: i + 1,
    law: shape(times.fixedMs + times.perItemMs * (i + 1)),
  }));
  return serviceCurve(cpuCores, Math.min(1, cpuCores), points);
}
