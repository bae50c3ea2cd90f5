import { variantAccuracy } from '../../estimate/pas.js';
import type { PipelineSpec, StageSpec, VariantSpec } from '../../model/pipeline-spec.js';
import type { ProfileSet } from '../../model/profile-point.js';
import { capacityRps } from '../../profile/service-curves.js';
import { planningCurves } from './planning-curves.js';
import { replicaCostPerHour } from './resource-use.js';

export interface RatedVariant {
  readonly variant: VariantSpec;
  readonly accuracy: number;
  /** Hourly cost of one item per second, at the cheapest cores and batch size. */
  readonly costPerItemRps: number;
}

/** Variants of a stage, in file order. */
export function ratedVariants(spec: PipelineSpec, profiles: ProfileSet, stage: StageSpec): readonly RatedVariant[] {
  const curves = planningCurves(spec, profiles);
  return stage.variants.map((variant) => {
    const costs = variant.cpuCores.map((cpuCores) => {
      const curve = curves.curve(stage.id, variant.id, cpuCores);
      if (curve === undefined) return Number.POSITIVE_INFINITY;
      const resources = { cpuCores, memoryBytes: variant.memoryBytes, gpus: variant.gpus };
      return replicaCostPerHour(resources, spec.prices) / capacityRps(curve, 1, curve.maxBatchSize);
    });
    return { variant, accuracy: variantAccuracy(stage, variant.id), costPerItemRps: Math.min(...costs) };
  });
}
