/** Many pipelines of many stages, each with a small and a large variant, and plans for them. */
import { type Plan, type StagePlan, stageId, variantId } from '@equipoise/core/model';
import { API_VERSION, PIPELINE_KIND } from '@equipoise/pipeline-file';
import type { InferencePipeline } from '../../packages/adapter-kubernetes/src/cluster/observed-objects.js';

const CPU_CORES = 0.5;
const MEMORY_BYTES = 100_000_000;
const resources = { cpuCores: CPU_CORES, memoryBytes: MEMORY_BYTES };

export const pipelineName = (index: number): string => `chain-${index + 1}`;
export const stageName = (index: number): string => `stage-${index + 1}`;

const variant = (name: string, accuracy: number, meanMs: number) => ({
  ...{ name, accuracy: { value: accuracy, metric: 'top1' }, resources },
  profile: [1, 2, 4].map((batchSize) => ({ cpuCores: CPU_CORES, batchSize, meanMs: meanMs * (0.5 + 0.5 * batchSize) })),
});

/** A custom resource with stages in a row; `arrivalRps` is its annotated load. */
export function chain(name: string, namespace: string, stages: number, arrivalRps?: number): InferencePipeline {
  const annotations = arrivalRps === undefined ? {} : { 'equipoise.dev/arrival-rps': String(arrivalRps) };
  return {
    apiVersion: API_VERSION,
    kind: PIPELINE_KIND,
    metadata: { name, namespace, annotations },
    spec: {
      slo: { latencyMs: 1_000, percentile: 99 },
      control: { mode: 'auto' },
      sources: [{ name: 'input' }],
      stages: Array.from({ length: stages }, (_, index) => ({
        ...{ name: stageName(index), kind: 'model' },
        variants: [variant('small', 0.6, 5), variant('large', 0.8, 10)],
      })),
    },
  };
}

export interface ChainStage {
  readonly variant: 'small' | 'large';
  readonly replicas: number;
  readonly maxBatchSize: number;
}

export function chainPlan(stages: readonly ChainStage[]): Plan {
  const planned = stages.map(({ variant: name, ...rest }, index) => {
    const plan: StagePlan = {
      ...{ variantId: variantId(name), resources: { ...resources, gpus: 0 }, ...rest },
      ...{ maxBatchWaitMs: 0, trafficFraction: 1 },
    };
    return [stageId(stageName(index)), [plan]] as const;
  });
  const cpuCores = stages.reduce((sum, { replicas }) => sum + CPU_CORES * replicas, 0);
  const predicted = { latencyMs: 100, percentile: 99, pas: 0.5, capacityRps: 50, cpuCores, costPerHour: cpuCores };
  return { stages: Object.fromEntries(planned), predicted };
}
