/**
 * Configuration by hand, for policies that only scale replicas. Per stage: the variant of middle accuracy; the fewest
 * cores, then the largest profiled batch, whose p99 is at most half of the stage's share of the SLO. The other half is
 * for the wait. Stages of the longest path have equal shares.
 */
import { variantAccuracy } from '../../estimate/pas.js';
import { stageLoads } from '../../estimate/stage-load.js';
import type { StageId } from '../../model/ids.js';
import type { PipelineSpec, StageSpec, VariantSpec } from '../../model/pipeline-spec.js';
import type { Plan, StagePlan } from '../../model/plan.js';
import { planningGraph } from '../../optimize/problem/planning-graph.js';
import { capacityRps, type ServiceCurve, type ServiceCurves } from '../../profile/service-curves.js';
import { lawQuantileMs } from '../../profile/service-law.js';

/** Way to run a stage. `itemRps`: items per second of one replica; `itemsPerRequest`: items that a request makes. */
export interface Configuration {
  readonly stage: StageSpec;
  readonly variant: VariantSpec;
  readonly curve: ServiceCurve;
  readonly maxBatchSize: number;
  readonly itemRps: number;
  readonly itemsPerRequest: number;
}

export const batchP99Ms = (curve: ServiceCurve, batchSize: number): number =>
  lawQuantileMs(curve.law(batchSize), 0.99) / curve.shareFraction;

/** Half of a stage's share of the SLO, in ms. */
export const batchLimitMs = (spec: PipelineSpec): number => spec.slo.latencyMs / planningGraph(spec).depth / 2;

/** Batch sizes that are profiled and allowed. */
export function allowedBatchSizes({ bounds }: StageSpec, curve: ServiceCurve): readonly number[] {
  return curve.batchSizes.filter((size) => bounds.batchSizes?.includes(size) ?? true);
}

/** Largest batch size whose p99 is within `limitMs`; undefined if there is none. */
export function largestBatch(stage: StageSpec, curve: ServiceCurve, limitMs: number): number | undefined {
  return allowedBatchSizes(stage, curve).findLast((size) => batchP99Ms(curve, size) <= limitMs);
}

/** Profiled curves of a variant by ascending core count. */
export function curvesOfVariant(
  curves: ServiceCurves,
  stage: StageSpec,
  variant: VariantSpec,
): readonly ServiceCurve[] {
  return [...variant.cpuCores]
    .sort((a, b) => a - b)
    .flatMap((cpuCores) => curves.curve(stage.id, variant.id, cpuCores) ?? []);
}

export function configurationOf(
  spec: PipelineSpec,
  choice: Pick<Configuration, 'stage' | 'variant' | 'curve' | 'maxBatchSize'>,
): Configuration {
  const itemsPerRequest = stageLoads(spec, 1).get(choice.stage.id)?.visits ?? 0;
  return { ...choice, itemsPerRequest, itemRps: capacityRps(choice.curve, 1, choice.maxBatchSize) };
}

/** Variant of middle accuracy; of two middle ones, the more accurate. */
export function middleVariant(stage: StageSpec): VariantSpec {
  const ordered = stage.variants.toSorted((a, b) => variantAccuracy(stage, a.id) - variantAccuracy(stage, b.id));
  return ordered[Math.floor(ordered.length / 2)] as VariantSpec;
}

export function handConfiguration(spec: PipelineSpec, curves: ServiceCurves): readonly Configuration[] {
  const limitMs = batchLimitMs(spec);
  return spec.stages.map((stage) => {
    const variant = middleVariant(stage);
    const all = curvesOfVariant(curves, stage, variant);
    const fast = all.find((curve) => largestBatch(stage, curve, limitMs) !== undefined);
    const curve = fast ?? (all.toSorted((a, b) => batchP99Ms(a, 1) - batchP99Ms(b, 1))[0] as ServiceCurve);
    const smallest = allowedBatchSizes(stage, curve)[0] ?? 1;
    return configurationOf(spec, {
      stage,
      variant,
      curve,
      maxBatchSize: largestBatch(stage, curve, limitMs) ?? smallest,
    });
  });
}

/** Replicas that serve `arrivalRps` requests at `utilization` (fraction), within the bounds of the stage. */
export function replicasFor(configuration: Configuration, arrivalRps: number, utilization = 1): number {
  const { itemsPerRequest, itemRps, stage } = configuration;
  // The tolerance absorbs rounding: 30 rps on replicas of 10 rps are three.
  return withinBounds(stage, Math.ceil((arrivalRps * itemsPerRequest) / (itemRps * utilization) - 1e-9));
}

export const withinBounds = ({ bounds }: StageSpec, replicas: number): number =>
  Math.min(bounds.maxReplicas, Math.max(1, bounds.minReplicas, replicas));

function stagePlanOf({ stage, variant, curve, maxBatchSize }: Configuration, replicas: number): StagePlan {
  const { memoryBytes, gpus } = variant;
  return {
    variantId: variant.id,
    resources: { cpuCores: curve.cpuCores, memoryBytes, gpus },
    maxBatchSize,
    maxBatchWaitMs: stage.bounds.maxBatchWaitMs,
    replicas,
    trafficFraction: 1,
  };
}

/** Stages with `replicas` of each configuration, in order. */
export function stagesOf(configurations: readonly Configuration[], replicas: readonly number[]): Plan['stages'] {
  const entries = configurations.map((each, i): [StageId, readonly StagePlan[]] => [
    each.stage.id,
    [stagePlanOf(each, replicas[i] ?? 1)],
  ]);
  return Object.fromEntries(entries);
}
