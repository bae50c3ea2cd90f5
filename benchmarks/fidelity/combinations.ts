/** Served combinations of shelf-scan, and the limits of a replica. */
import {
  type PipelineSpec,
  type Plan,
  replicaId,
  type StageId,
  type StagePlan,
  type VariantId,
  type VariantSpec,
} from '@equipoise/core/model';

export interface Combination {
  readonly name: string;
  readonly variants: Readonly<Record<string, string>>;
}

const combination = (detect: string, classify: string): Combination => ({
  name: `detect ${detect}, classify ${classify}`,
  variants: { decode: 'jpeg', detect, classify, count: 'tally' },
});

/** Combinations of two to four ms per request, so that thousands of requests take seconds. */
export const combinations: readonly Combination[] = [
  combination('xs', 'xs'),
  combination('s', 'xs'),
  combination('s', 's'),
];

/** Pipeline with one combination, each variant on the whole shared core. */
export function specOf(spec: PipelineSpec, { variants }: Combination): PipelineSpec {
  const { accuracyTable: _, ...rest } = spec;
  const stages = spec.stages.map((stage) => {
    const chosen = stage.variants.find(({ id }) => id === variants[stage.id]) as VariantSpec;
    return { ...stage, variants: [{ ...chosen, cpuCores: [1] }] };
  });
  return { ...rest, budget: { cpuCores: 1 }, stages };
}

/** One replica per stage, the largest allowed batches. */
export function planOf(spec: PipelineSpec): Plan {
  const stages: Record<StageId, readonly StagePlan[]> = {};
  for (const { id, variants, bounds } of spec.stages) {
    const [variant] = variants as readonly [VariantSpec];
    stages[id] = [
      {
        variantId: variant.id as VariantId,
        resources: { cpuCores: 1, memoryBytes: variant.memoryBytes, gpus: 0 },
        maxBatchSize: Math.max(...(bounds.batchSizes ?? [1])),
        maxBatchWaitMs: 0,
        replicas: 1,
        trafficFraction: 1,
      },
    ];
  }
  const nothing = { latencyMs: 0, percentile: 99, pas: 0, capacityRps: 0, cpuCores: 0, costPerHour: 0 };
  return { stages, predicted: nothing };
}

export const replicaOf = (stage: StageId) => replicaId(`${stage}-1`);
