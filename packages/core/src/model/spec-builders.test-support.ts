import { stageId, variantId } from './ids.js';
import type { PipelineSpec } from './pipeline-spec.js';
import type { Plan } from './plan.js';
import type { ProfilePoint } from './profile-point.js';

/** Chain of synthetic stages with one variant `v` each. The SLO is 400 ms at p99. */
export function chainSpec(points: Readonly<Record<string, readonly ProfilePoint[]>>): PipelineSpec {
  const names = Object.keys(points);
  const stages = names.map((name) => ({
    id: stageId(name),
    kind: 'model' as const,
    variants: [
      {
        id: variantId('v'),
        accuracy: { value: 0.9, metric: 'accuracy' },
        cpuCores: [...new Set((points[name] ?? []).map((point) => point.cpuCores))],
        memoryBytes: 0,
        gpus: 0,
        profile: points[name] ?? [],
        parameters: {},
      },
    ],
    bounds: { minReplicas: 1, maxReplicas: 64, maxBatchWaitMs: 0 },
    pins: {},
  }));
  return {
    name: 'chain',
    baseDir: '.',
    slo: { latencyMs: 400, percentile: 99 },
    budget: {},
    prices: { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 },
    objective: { kind: 'max-accuracy' },
    sources: [{ name: 'input', to: [stageId(names[0] ?? '')], tensors: [] }],
    stages,
    edges: names.slice(1).map((to, i) => ({ from: stageId(names[i] ?? ''), to: stageId(to) })),
    outputs: [{ from: stageId(names.at(-1) ?? '') }],
    control: { mode: 'auto', intervalMs: 10_000, minDwellMs: 0, canary: false },
    admission: { maxQueueLength: 1000 },
  };
}

/** The same plan for every stage, with predictions of 0. */
export function planOf(
  spec: PipelineSpec,
  choice: { readonly maxBatchSize: number; readonly replicas: number; readonly cpuCores?: number },
): Plan {
  const entry = (stage: PipelineSpec['stages'][number]) => [
    stage.id,
    [
      {
        variantId: stage.variants[0]?.id ?? variantId('v'),
        resources: { cpuCores: choice.cpuCores ?? stage.variants[0]?.cpuCores[0] ?? 1, memoryBytes: 0, gpus: 0 },
        maxBatchSize: choice.maxBatchSize,
        maxBatchWaitMs: stage.bounds.maxBatchWaitMs,
        replicas: choice.replicas,
        trafficFraction: 1,
      },
    ],
  ];
  return {
    stages: Object.fromEntries(spec.stages.map(entry)),
    predicted: { latencyMs: 0, percentile: 99, pas: 0, capacityRps: 0, cpuCores: 0, costPerHour: 0 },
  };
}

/**
 * One stage on at most two cores. `small` serves up to 200 rps at accuracy 0.6, `large` up to 40 rps at 0.9. Both load
 * in 300 ms.
 */
export function smallOrLargeSpec(): PipelineSpec {
  const chain = chainSpec({ detect: [] });
  const variant = (name: string, value: number, meanMs: number) => ({
    id: variantId(name),
    accuracy: { value, metric: 'f1' },
    cpuCores: [1],
    memoryBytes: 0,
    gpus: 0,
    loadMs: 300,
    profile: [{ cpuCores: 1, batchSize: 1, meanMs, p99Ms: meanMs * 1.2 }],
    parameters: {},
  });
  const variants = [variant('small', 0.6, 10), variant('large', 0.9, 50)];
  return { ...chain, budget: { cpuCores: 2 }, stages: chain.stages.map((stage) => ({ ...stage, variants })) };
}
