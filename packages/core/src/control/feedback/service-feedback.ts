/**
 * What serving says about the profile. Every batch gives the ratio of its service time to the median that the profile has for its size; the
 * median of the last ratios is the factor by which the profile is off. Medians, so that up to half of the batches may be stalls,
 * collections or anything else without a word in it.
 *
 * What was measured most closely is believed first: the batch size on these cores, else the variant on these cores, else the stage: a
 * machine that is slower for one variant is likely so for those that did not run yet, and a plan that flees from a variant because only
 * its own factor is known would flee for nothing.
 */
import type { BatchTimes } from '../../model/batch-times.js';
import type { StageId, VariantId } from '../../model/ids.js';
import type { ServiceCurves } from '../../profile/curves-of.js';
import { lawQuantileMs } from '../../profile/service-law.js';

/** The last ratios of a batch size. */
export interface SizeRatios {
  readonly batchSize: number;
  readonly ratios: readonly number[];
}

/** All that was measured of a variant on some cores; plain data. */
export interface VariantRatios {
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly cpuCores: number;
  readonly sizes: readonly SizeRatios[];
}

/** What was measured of a pipeline. */
export type ServiceRatios = readonly VariantRatios[];

/** Ratios that are remembered of a batch size. */
const REMEMBERED = 100;
/** Fewer say nothing. */
const FEWEST = 20;

/** The ratios with those of new batches, against `curves` as they were profiled, without corrections. */
export function observeBatches(
  before: ServiceRatios,
  batches: readonly BatchTimes[],
  curves: ServiceCurves,
): ServiceRatios {
  return batches.reduce((ratios, each) => withBatches(ratios, each, curves), before);
}

function withBatches(before: ServiceRatios, batches: BatchTimes, curves: ServiceCurves): ServiceRatios {
  const { stageId, variantId, cpuCores, batchSize, serviceMs } = batches;
  const curve = curves.curve(stageId, variantId, cpuCores);
  if (curve === undefined) return before;
  const medianMs = lawQuantileMs(curve.law(batchSize), 0.5);
  const fresh = serviceMs.map((ms) => ms / medianMs).filter((ratio) => Number.isFinite(ratio) && ratio > 0);
  if (fresh.length === 0) return before;
  const isOf = (each: VariantRatios): boolean =>
    each.stageId === stageId && each.variantId === variantId && each.cpuCores === cpuCores;
  const known = before.find(isOf) ?? { stageId, variantId, cpuCores, sizes: [] };
  const old = known.sizes.find((each) => each.batchSize === batchSize)?.ratios ?? [];
  const size: SizeRatios = { batchSize, ratios: [...old, ...fresh].slice(-REMEMBERED) };
  const sizes = [...known.sizes.filter((each) => each.batchSize !== batchSize), size].toSorted(
    (a, b) => a.batchSize - b.batchSize,
  );
  return [...before.filter((each) => !isOf(each)), { ...known, sizes }];
}

/** Which point of a profile is asked about. */
export interface PointName {
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly cpuCores: number;
  readonly batchSize: number;
}

/** How many times slower a point is than profiled, from the closest measurements that are enough; 1 without any. */
export function slownessOf(measured: ServiceRatios, { stageId, variantId, cpuCores, batchSize }: PointName): number {
  const stage = measured.filter((each) => each.stageId === stageId);
  const variant = stage.filter((each) => each.variantId === variantId && each.cpuCores === cpuCores);
  const size = variant.flatMap(({ sizes }) => sizes.filter((each) => each.batchSize === batchSize));
  const ratiosOf = (of: readonly VariantRatios[]): readonly number[] =>
    of.flatMap(({ sizes }) => sizes.flatMap(({ ratios }) => ratios));
  const closest = [size.flatMap(({ ratios }) => ratios), ratiosOf(variant), ratiosOf(stage)];
  const enough = closest.find((ratios) => ratios.length >= FEWEST);
  return enough === undefined ? 1 : median(enough);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}
