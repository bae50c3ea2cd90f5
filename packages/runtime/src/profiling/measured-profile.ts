/**
 * What a profiling run leaves behind: the points of core's profiles with how they were measured, what was left out and why, and the
 * identity by which a later run can tell whether they still hold. Plain JSON, the very document of `equipoise profile --json`.
 */
import type { LatencyProfile, ProfilePoint, StageId, VariantId } from '@equipoise/core/model';
import type { MonotoneFit } from '@equipoise/core/plan';
import type { MachineFingerprint } from './machine-fingerprint.js';
import type { VariantIdentity } from './profile-identity.js';

/** How long a point may take: `quick` accepts wider intervals than `full`. */
export type ProfileDepth = 'quick' | 'full';

/** Why a measurement ended: its figures were sure enough for its depth, or its time was up. */
export type MeasurementEnd = 'sure' | 'time-cap';

/** Service times of one replica in a closed loop, with how sure they are; `batches` is how many timed batches they rest on. */
export interface ServiceFigures {
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  /** Items a second of a replica that is never idle. */
  readonly throughputRps: number;
  readonly batches: number;
  /** Half the width of the mean's 95 % interval ÷ the mean. */
  readonly meanUncertaintyFraction: number;
  /** 95 % interval of the p99 by order statistics; missing where too few batches bound it. */
  readonly p99IntervalMs?: readonly [low: number, high: number];
  readonly endedBy: MeasurementEnd;
}

/** A profile point: its own figures are those that plans are made from, taken beside `busyNeighbours` busy cores. */
export interface MeasuredPoint extends ProfilePoint, ServiceFigures {
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly throughputRps: number;
  readonly busyNeighbours: number;
  /** The same with the other cores idle; missing where no core was free to be busy. */
  readonly idle?: ServiceFigures;
}

/** Why a point need not be measured: over the SLO alone, no better than a smaller batch, a batch that fails, cores there are not. */
export type SkipKind = 'over-slo' | 'dominated' | 'failed' | 'no-such-cores';

/** A point that was not measured, with the reason in words. */
export interface SkippedPoint {
  readonly cpuCores: number;
  readonly batchSize: number;
  readonly kind: SkipKind;
  readonly reason: string;
}

/** The monotone fit over the batch sizes of one core count, with its errors (fractions of the measured mean). */
export interface CurveFit extends MonotoneFit {
  readonly cpuCores: number;
  readonly batchSizes: readonly number[];
}

/** Everything measured of one variant. */
export interface VariantProfile extends LatencyProfile {
  readonly points: readonly MeasuredPoint[];
  readonly skipped: readonly SkippedPoint[];
  readonly fits: readonly CurveFit[];
  readonly depth: ProfileDepth;
  readonly measuredAtEpochMs: number;
  readonly identity: VariantIdentity;
}

/** What an interrupted run had measured of a variant. */
export type UnfinishedProfile = Omit<VariantProfile, 'fits' | 'measuredAtEpochMs'>;

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
