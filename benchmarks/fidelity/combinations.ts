/** The three combinations of shelf-scan that are served, and what one replica of each stage is allowed. */
import {
  type PipelineSpec,
  type Plan,
  replicaId,
  type StageId,
  type StagePlan,
  type VariantId,
  type VariantSpec,
} from '@equipoise/core/model';

/** Variants by stage. */
export interface Combination {
  readonly name: string;
  readonly variants: Readonly<Record<string, string>>;
}

const combination = (detect: string, classify: string): Combination => ({
  name: `detect ${detect}, classify ${classify}`,
  variants: { decode: 'jpeg', detect, classify, count: 'tally' },
});

/** Fast ones, two to four milliseconds a request, so that thousands of them take seconds. */
export const combinations: readonly Combination[] = [
  combination('xs', 'xs'),
  combination('s', 'xs'),
  combination('s', 's'),
];

/** The pipeline with the variants of one combination alone, each on the whole core that all of them share. */
export function specOf(spec: PipelineSpec, { variants }: Combination): PipelineSpec {
  const { accuracyTable: _, ...rest } = spec;
  const stages = spec.stages.map((stage) => {
    const chosen = stage.variants.find(({ id }) => id === variants[stage.id]) as VariantSpec;
    return { ...stage, variants: [{ ...chosen, cpuCores: [1] }] };
  });
  return { ...rest, budget: { cpuCores: 1 }, stages };
}

/** One replica per stage, batches as large as the stage allows. */
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

/** Name of the only replica of a stage. */
export const replicaOf = (stage: StageId) => replicaId(`${stage}-1`);
