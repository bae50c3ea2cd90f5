/**
 * Profile of another machine: times × `factor` (above 1: this machine is slower), rates ÷ `factor`. The profile records
 * the factor, because it is the user's guess.
 */
import type { Robustness } from '../model/pipeline-spec.js';
import type { LatencyProfile, ProfilePoint, ProfileScale } from '../model/profile-point.js';

const TIMES = ['meanMs', 'p50Ms', 'p95Ms', 'p99Ms'] as const;

export function scaledPoint(point: ProfilePoint, factor: number): ProfilePoint {
  const { cpuCores, batchSize, throughputRps, memoryBytes, meanUncertaintyFraction } = point;
  const times = TIMES.flatMap((field) => (point[field] === undefined ? [] : [[field, point[field] * factor] as const]));
  return {
    cpuCores,
    batchSize,
    ...Object.fromEntries(times),
    ...(throughputRps === undefined ? {} : { throughputRps: throughputRps / factor }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(meanUncertaintyFraction === undefined ? {} : { meanUncertaintyFraction }),
  };
}

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

/** Point of a replica behind a network: each batch takes `networkMs` longer. */
export function networkedPoint(point: ProfilePoint, networkMs: number): ProfilePoint {
  const { throughputRps, ...rest } = point;
  const meanMs = point.meanMs ?? (throughputRps === undefined ? undefined : (1000 * point.batchSize) / throughputRps);
  const timed = { ...rest, ...(meanMs !== undefined && { meanMs }) };
  const times = TIMES.flatMap((field) => (timed[field] === undefined ? [] : [[field, timed[field] + networkMs]]));
  return { ...timed, ...Object.fromEntries(times) };
}

/**
 * Point for robust plans: profiled times × the larger of `serviceFactor` and the learned factor, which `point` already
 * includes. Using both would guard twice against one error.
 */
export function robustPoint(point: ProfilePoint, { serviceFactor }: Robustness): ProfilePoint {
  return scaledPoint(point, Math.max(1, serviceFactor / (point.learnedFactor ?? 1)));
}
