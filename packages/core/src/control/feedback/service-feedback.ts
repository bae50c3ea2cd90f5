/**
 * What serving says about the profile. Every batch gives the ratio of its service time to the median that the profile has for its size; the
 * median of the last ratios is the factor by which the profile is off. Medians, so that up to half of the batches may be stalls,
 * collections or anything else without a word in it.
 *
 * What was measured most closely is believed first: the batch size on these cores, else the variant on these cores, else the stage: a
 * machine that is slower for one variant is likely so for those that did not run yet, and a plan that flees from a variant because only
 * its own factor is known would flee for nothing. What does not run any more is forgotten after some minutes, or one slow minute would lock a
 * variant out for good; each time after twice as long, so that one that really is slow is not tried again and again.
 */
import type { BatchTimes } from '../../model/decision.js';
import type { StageId, VariantId } from '../../model/ids.js';
import type { ServiceCurves } from '../../profile/curves-of.js';
import { lawQuantileMs } from '../../profile/service-law.js';

/** The last ratios of a batch size. */
export interface SizeRatios {
  readonly batchSize: number;
  readonly ratios: readonly number[];
  /** Time (ms) since the last of them; 0 when left out. */
  readonly idleMs?: number;
  /** How often they were forgotten; never when left out. */
  readonly forgotten?: number;
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
/** Ratios without a new one are forgotten after this time, the second time after twice as long. */
const FORGET_MS = 300_000;
/** Doublings of it. */
const MOST_DOUBLINGS = 4;

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
  const old = known.sizes.find((each) => each.batchSize === batchSize);
  const size: SizeRatios = {
    batchSize,
    ratios: [...(old?.ratios ?? []), ...fresh].slice(-REMEMBERED),
    ...(old?.forgotten !== undefined && { forgotten: old.forgotten }),
  };
  const sizes = [...known.sizes.filter((each) => each.batchSize !== batchSize), size].toSorted(
    (a, b) => a.batchSize - b.batchSize,
  );
  return [...before.filter((each) => !isOf(each)), { ...known, sizes }];
}

/** The ratios after `elapsedMs` more; those of a stage that has run nothing meanwhile stay as they are. */
export function aged(ratios: ServiceRatios, elapsedMs: number): ServiceRatios {
  const ran = new Set(ratios.filter(({ sizes }) => sizes.some(isFresh)).map(({ stageId }) => stageId));
  return ratios.map((each) =>
    ran.has(each.stageId) ? { ...each, sizes: each.sizes.map((size) => agedSize(size, elapsedMs)) } : each,
  );
}

/**
 * The ratios after a stop of `stoppedMs`. What did not run then is as much older; of what ran so much is left as says something, where the stop was
 * long, so that a few seconds of serving outweigh it.
 */
export function agedByStop(ratios: ServiceRatios, stoppedMs: number): ServiceRatios {
  return ratios.map((each) => ({
    ...each,
    sizes: each.sizes.map((size) => {
      if (!isFresh(size)) return agedSize(size, stoppedMs);
      return stoppedMs < FORGET_MS ? size : { ...size, ratios: size.ratios.slice(-FEWEST) };
    }),
  }));
}

const isFresh = ({ ratios, idleMs = 0 }: SizeRatios): boolean => ratios.length > 0 && idleMs === 0;

function agedSize(size: SizeRatios, elapsedMs: number): SizeRatios {
  const { batchSize, forgotten = 0 } = size;
  if (size.ratios.length === 0) return size;
  const idleMs = (size.idleMs ?? 0) + elapsedMs;
  const staysMs = FORGET_MS * 2 ** Math.min(forgotten, MOST_DOUBLINGS);
  return idleMs < staysMs ? { ...size, idleMs } : { batchSize, ratios: [], forgotten: forgotten + 1 };
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
