/**
 * Points worth measuring: allowed batch sizes (default 1, 2, 4, … 32) on the variant's core counts that this machine
 * has. CPU shares below one core are planned from points of one core.
 */
import type { PipelineSpec, StageSpec, VariantSpec } from '@equipoise/core/model';
import type { NotMeasuredVariant, SkippedPoint } from './measured-profile.js';

const USUAL_BATCH_SIZES = [1, 2, 4, 8, 16, 32] as const;

/** Ascending lists. */
export interface VariantGrid {
  readonly stage: StageSpec;
  readonly variant: VariantSpec;
  readonly coreCounts: readonly number[];
  readonly batchSizes: readonly number[];
  readonly skipped: readonly SkippedPoint[];
}

export interface ProfileGrid {
  readonly variants: readonly VariantGrid[];
  readonly notMeasured: readonly NotMeasuredVariant[];
}

const ascending = (values: Iterable<number>): number[] => [...new Set(values)].sort((a, b) => a - b);

/** Core counts to measure. CPU shares are measured on one core. */
function measuredCoreCounts(variant: VariantSpec): readonly number[] {
  return ascending(variant.cpuCores.map((cpuCores) => Math.max(1, cpuCores)));
}

function variantGrid(stage: StageSpec, variant: VariantSpec, coresAvailable: number): VariantGrid {
  const batchSizes = ascending(stage.bounds.batchSizes ?? USUAL_BATCH_SIZES);
  const [fits, tooMany] = [true, false].map((fit) =>
    measuredCoreCounts(variant).filter((cpuCores) => cpuCores <= coresAvailable === fit),
  ) as [number[], number[]];
  const skipped = tooMany.flatMap((cpuCores) =>
    batchSizes.map((batchSize) => ({
      cpuCores,
      batchSize,
      kind: 'no-such-cores' as const,
      reason: `this machine has ${coresAvailable} ${coresAvailable === 1 ? 'core' : 'cores'}`,
    })),
  );
  return { stage, variant, coreCounts: fits, batchSizes, skipped };
}

function reasonNotToMeasure(stage: StageSpec, variant: VariantSpec): string | undefined {
  if (variant.profile !== undefined) return 'its profile is written in the pipeline file';
  if (stage.module === undefined && variant.server === undefined)
    return 'a synthetic stage runs from its profile and has nothing to measure';
  return undefined;
}

export function profileGrid(spec: PipelineSpec, coresAvailable: number): ProfileGrid {
  const variants: VariantGrid[] = [];
  const notMeasured: NotMeasuredVariant[] = [];
  for (const stage of spec.stages) {
    for (const variant of stage.variants) {
      const reason = reasonNotToMeasure(stage, variant);
      if (reason === undefined) variants.push(variantGrid(stage, variant, coresAvailable));
      else notMeasured.push({ stageId: stage.id, variantId: variant.id, reason });
    }
  }
  return { variants, notMeasured };
}
