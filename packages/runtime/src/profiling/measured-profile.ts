/**
 * Result of a profiling run: points, skipped points with reasons, and the identity that shows whether the figures are
 * still valid. Plain JSON, as `equipoise profile --json` prints it.
 */
import type { LatencyProfile, ProfilePoint, StageId, VariantId } from '@equipoise/core/model';
import type { MonotoneFit } from '@equipoise/core/plan';
import type { MachineFingerprint } from './machine-fingerprint.js';
import type { VariantIdentity } from './profile-identity.js';

/** `quick` accepts wider intervals than `full`. */
export type ProfileDepth = 'quick' | 'full';

export type MeasurementEnd = 'sure' | 'time-cap';

/** Service times of one replica in a closed loop; `batches` is the number of timed batches. */
export interface ServiceFigures {
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly throughputRps: number;
  readonly batches: number;
  /** Half the width of the mean's 95 % interval ÷ the mean. */
  readonly meanUncertaintyFraction: number;
  /** 95 % interval by order statistics; missing with too few batches. */
  readonly p99IntervalMs?: readonly [low: number, high: number];
  readonly endedBy: MeasurementEnd;
}

/** Figures while `busyNeighbours` other cores were busy. Plans use these figures. */
export interface MeasuredPoint extends ProfilePoint, ServiceFigures {
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly throughputRps: number;
  readonly meanUncertaintyFraction: number;
  readonly busyNeighbours: number;
  /** Figures while the other cores were idle; missing if no core was free. */
  readonly idle?: ServiceFigures;
}

/**
 * Reason for a skipped point: slower than the SLO, no better than a smaller batch, failing, or more cores than the
 * machine has.
 */
export type SkipKind = 'over-slo' | 'dominated' | 'failed' | 'no-such-cores';

export interface SkippedPoint {
  readonly cpuCores: number;
  readonly batchSize: number;
  readonly kind: SkipKind;
  readonly reason: string;
}

/** Monotone fit over the batch sizes of one core count; errors are fractions of the measured mean. */
export interface CurveFit extends MonotoneFit {
  readonly cpuCores: number;
  readonly batchSizes: readonly number[];
}

export interface VariantProfile extends LatencyProfile {
  readonly points: readonly MeasuredPoint[];
  readonly skipped: readonly SkippedPoint[];
  readonly fits: readonly CurveFit[];
  readonly depth: ProfileDepth;
  readonly measuredAtEpochMs: number;
  readonly identity: VariantIdentity;
}

export type UnfinishedProfile = Omit<VariantProfile, 'fits' | 'measuredAtEpochMs'>;

export interface NotMeasuredVariant {
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly reason: string;
}

/** Profile of a pipeline on one machine; `variants` is a ProfileSet for the planner. */
export interface PipelineProfile {
  readonly machine: MachineFingerprint;
  readonly variants: readonly VariantProfile[];
  readonly notMeasured: readonly NotMeasuredVariant[];
}
