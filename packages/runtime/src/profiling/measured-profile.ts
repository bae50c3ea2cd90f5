/**
 * What a profiling run leaves behind: the points of core's profiles with how they were measured, what was left out and why, and the
 * identity by which a later run can tell whether they still hold. Plain JSON, the very document of `equipoise profile --json`.
 */
import type { LatencyProfile, ProfilePoint, StageId, VariantId } from '@equipoise/core';
import type { MachineFingerprint } from './machine-fingerprint.js';
import type { VariantIdentity } from './profile-identity.js';

/** How long a point may take: `quick` accepts wider intervals than `full`. */
export type ProfileDepth = 'quick' | 'full';

/** A profile point with all its figures; `batches` is how many timed batches they rest on. */
export interface MeasuredPoint extends ProfilePoint {
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly throughputRps: number;
  readonly batches: number;
}

/** A point that was not measured, with the reason in words. */
export interface SkippedPoint {
  readonly cpuCores: number;
  readonly batchSize: number;
  readonly reason: string;
}

/** Everything measured of one variant. */
export interface VariantProfile extends LatencyProfile {
  readonly points: readonly MeasuredPoint[];
  readonly skipped: readonly SkippedPoint[];
  readonly depth: ProfileDepth;
  readonly measuredAtEpochMs: number;
  readonly identity: VariantIdentity;
}

/** A variant that needs no measurement, with the reason in words. */
export interface NotMeasuredVariant {
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly reason: string;
}

/** The profile of a pipeline on one machine; `variants` is a ProfileSet for the planner. */
export interface PipelineProfile {
  readonly machine: MachineFingerprint;
  readonly variants: readonly VariantProfile[];
  readonly notMeasured: readonly NotMeasuredVariant[];
}
