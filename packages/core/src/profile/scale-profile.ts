/**
 * A profile of another machine, carried over by one factor: every time is `factor` times as long there (above 1: the machine that
 * plans is slower), every rate `factor` times as low. One factor for all variants and sizes is a guess that only its giver can answer
 * for, so it travels with the profile.
 */
import type { LatencyProfile, ProfilePoint } from '../model/profile-point.js';

const TIMES = ['meanMs', 'p50Ms', 'p95Ms', 'p99Ms'] as const;

function scaledPoint(point: ProfilePoint, factor: number): ProfilePoint {
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
export function scaleProfile(profile: LatencyProfile, factor: number): LatencyProfile {
  const { stageId, variantId, points, loadMs } = profile;
  return { stageId, variantId, points: points.map((point) => scaledPoint(point, factor)), loadMs: loadMs * factor };
}
