/**
 * A profile of another machine, carried over by one factor: every time is `factor` times as long there (above 1: the machine that
 * plans is slower), every rate `factor` times as low. One factor for all variants and sizes is a guess that only its giver can answer
 * for, so it travels with the profile.
 */
import type { StageId, VariantId } from '../model/ids.js';
import type { LatencyProfile, ProfilePoint, ProfileScale, ProfileSet } from '../model/profile-point.js';

const TIMES = ['meanMs', 'p50Ms', 'p95Ms', 'p99Ms'] as const;

/** The point with its times `factor` times as long and its throughput as much lower. */
export function scaledPoint(point: ProfilePoint, factor: number): ProfilePoint {
  const { cpuCores, batchSize, throughputRps, memoryBytes } = point;
  const times = TIMES.flatMap((field) => (point[field] === undefined ? [] : [[field, point[field] * factor] as const]));
  return {
    cpuCores,
    batchSize,
    ...Object.fromEntries(times),
    ...(throughputRps === undefined ? {} : { throughputRps: throughputRps / factor }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
  };
}

/** The profile as a machine `factor` (positive) times as slow would have measured it. */
export function scaleProfile(profile: LatencyProfile, scaled: ProfileScale): LatencyProfile {
  const { stageId, variantId, points, loadMs } = profile;
  const { factor } = scaled;
  return {
    stageId,
    variantId,
    points: points.map((point) => scaledPoint(point, factor)),
    loadMs: loadMs * factor,
    scaled,
  };
}

/** A profile that plans rest on though it was measured elsewhere. */
export interface ScaledProfile extends ProfileScale {
  readonly stageId: StageId;
  readonly variantId: VariantId;
}

/** Those of the profiles that were carried over, for the evidence of what is planned from them. */
export function scaledProfiles(profiles: ProfileSet): readonly ScaledProfile[] {
  return profiles.flatMap(({ stageId, variantId, scaled }) =>
    scaled === undefined ? [] : [{ stageId, variantId, ...scaled }],
  );
}
