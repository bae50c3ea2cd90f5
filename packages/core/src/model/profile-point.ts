/** Measured service times, which profile/service-law interprets. */
import type { StageId, VariantId } from './ids.js';
import type { ServiceCorrection } from './service-correction.js';

/** Batch of `batchSize` items on `cpuCores` cores. Times are in ms, throughput in items per second. */
export interface ProfilePoint {
  readonly cpuCores: number;
  readonly batchSize: number;
  readonly meanMs?: number;
  readonly p50Ms?: number;
  readonly p95Ms?: number;
  readonly p99Ms?: number;
  readonly throughputRps?: number;
  readonly memoryBytes?: number;
  /** Half width of the mean's 95 % interval ÷ the mean; absent if not measured. */
  readonly meanUncertaintyFraction?: number;
  /** Factor learned while serving; times include it. Absent if none is learned. */
  readonly learnedFactor?: number;
}

/** Point whose mean is known to ± `halfWidthFraction`. After too few batches, that fraction is absent. */
export interface UncertainPoint {
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly cpuCores: number;
  readonly batchSize: number;
  readonly halfWidthFraction?: number;
}

/** Origin of another machine's profile, and the factor on its times. */
export interface ProfileScale {
  readonly factor: number;
  readonly measuredOn: string;
}

export interface LatencyProfile {
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly points: readonly ProfilePoint[];
  readonly loadMs: number;
  readonly scaled?: ProfileScale;
  /** Of service times under load. Absent if not measured. */
  readonly correction?: ServiceCorrection | undefined;
}

/** One per stage and variant. */
export type ProfileSet = readonly LatencyProfile[];
