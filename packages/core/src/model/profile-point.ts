/** Measured service time of a variant, by cores and batch size; how the fields are read is told in profile/service-law. */
import type { StageId, VariantId } from './ids.js';

/** Service time of one batch of `batchSize` items on `cpuCores` cores; times in ms, throughput in items per second. */
export interface ProfilePoint {
  readonly cpuCores: number;
  readonly batchSize: number;
  readonly meanMs?: number;
  readonly p50Ms?: number;
  readonly p95Ms?: number;
  readonly p99Ms?: number;
  readonly throughputRps?: number;
  readonly memoryBytes?: number;
}

/** Where a profile that was carried over from another machine was measured, and the factor on its times. */
export interface ProfileScale {
  readonly factor: number;
  readonly measuredOn: string;
}

/** Everything measured of one variant. */
export interface LatencyProfile {
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly points: readonly ProfilePoint[];
  /** Time from start to ready. */
  readonly loadMs: number;
  /** Missing when it was measured where it is used. */
  readonly scaled?: ProfileScale;
}

/** The profiles of a pipeline, one per stage and variant. */
export type ProfileSet = readonly LatencyProfile[];
