import { stageId, variantId } from '../model/ids.js';
import type { EdgeSpec, PipelineSpec, StageSpec, VariantSpec } from '../model/pipeline-spec.js';
import type { ProfilePoint } from '../model/profile-point.js';
import type { PlanningProblem } from './planning-problem.js';

/**
 * Variant whose batch of b takes fixedMs + perItemMs · b on one core; p99 is `tail` times the mean. More cores divide
 * times by cores^0.9.
 */
export interface TestVariant {
  readonly name: string;
  readonly accuracy: number;
  readonly fixedMs: number;
  readonly perItemMs: number;
  readonly tail?: number;
}

const BATCH_SIZES = [1, 2, 4, 8];

function pointsOf(variant: TestVariant, cpuCores: readonly number[]): readonly ProfilePoint[] {
  const whole = [...new Set(cpuCores.map((c) => Math.max(1, c)))];
  return whole.flatMap((cores) =>
    BATCH_SIZES.map((batchSize) => {
      const meanMs = (variant.fixedMs + variant.perItemMs * batchSize) / cores ** 0.9;
      return { cpuCores: cores, batchSize, meanMs, p99Ms: meanMs * (variant.tail ?? 1.2) };
    }),
  );
}

/** Stage whose variants all run on any of `cpuCores`. */
export function testStage(
  name: string,
  variants: readonly TestVariant[],
  cpuCores: readonly number[] = [1],
): StageSpec {
  return {
    id: stageId(name),
    kind: 'model',
    variants: variants.map(
      (variant): VariantSpec => ({
        id: variantId(variant.name),
        accuracy: { value: variant.accuracy, metric: 'accuracy' },
        cpuCores,
        memoryBytes: 0,
        gpus: 0,
        profile: pointsOf(variant, cpuCores),
        parameters: {},
      }),
    ),
    bounds: { minReplicas: 1, maxReplicas: 64, maxBatchWaitMs: 0 },
    pins: {},
  };
}

/** Pipeline of `stages`, by default a chain. The first stage is the entry. Stages without out-edges are outputs. */
export function testPipeline(stages: readonly StageSpec[], edges?: readonly EdgeSpec[]): PipelineSpec {
  const chain = stages.slice(1).map((stage, i) => ({ from: (stages[i] as StageSpec).id, to: stage.id }));
  const used = edges ?? chain;
  return {
    name: 'test',
    baseDir: '.',
    slo: { latencyMs: 200, percentile: 99 },
    budget: { cpuCores: 8 },
    prices: { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 },
    objective: { kind: 'max-accuracy' },
    sources: [
      { name: 'in', to: stages.map((s) => s.id).filter((id) => !used.some((edge) => edge.to === id)), tensors: [] },
    ],
    stages,
    edges: used,
    outputs: stages.filter((s) => !used.some((edge) => edge.from === s.id)).map((s) => ({ from: s.id })),
    control: { mode: 'auto', intervalMs: 10_000, minDwellMs: 0, canary: false },
    admission: { maxQueueLength: 1000 },
  };
}

export function problemOf(
  spec: PipelineSpec,
  arrivalRps: number,
  more: Partial<PlanningProblem> = {},
): PlanningProblem {
  return { spec, profiles: [], arrivalRps, estimator: 'distribution', ...more };
}
