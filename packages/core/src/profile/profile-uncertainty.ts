/**
 * Uncertainty of profiled means, from the 95 % intervals that a measurement stores. A plan inherits it: near saturation
 * an error of the mean weighs more than itself.
 */
import type { StageId, VariantId } from '../model/ids.js';
import type { ProfilePoint, ProfileSet } from '../model/profile-point.js';

/** Point whose mean is known to ± `halfWidthFraction` of itself only. */
export interface UncertainPoint {
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly cpuCores: number;
  readonly batchSize: number;
  readonly halfWidthFraction: number;
}

/** Infinity if too few batches were measured; undefined without a measurement. */
export function meanHalfWidthFraction({ meanUncertaintyFraction }: ProfilePoint): number | undefined {
  if (meanUncertaintyFraction === undefined) return undefined;
  // JSON has no Infinity, so a stored one reads as null.
  return Number.isFinite(meanUncertaintyFraction) ? meanUncertaintyFraction : Number.POSITIVE_INFINITY;
}

/** Points with a wider interval than ± `aboveFraction`, widest first. */
export function uncertainPoints(profiles: ProfileSet, aboveFraction: number): readonly UncertainPoint[] {
  return profiles
    .flatMap(({ stageId, variantId, points }) =>
      points.map((point) => {
        const { cpuCores, batchSize } = point;
        return { stageId, variantId, cpuCores, batchSize, halfWidthFraction: meanHalfWidthFraction(point) ?? 0 };
      }),
    )
    .filter(({ halfWidthFraction }) => halfWidthFraction > aboveFraction)
    .sort((a, b) => b.halfWidthFraction - a.halfWidthFraction);
}
