/**
 * Relaxation of a stage: per variant and cores the fewest stable replicas and the smallest service time over all batch
 * sizes (mean or SLO percentile). No real option uses less or is faster. If batches are charged, there is one option
 * per batch size.
 */
import { capacityRps, type ServiceCurve } from '../../profile/service-curve.js';
import { lawQuantileMs } from '../../profile/service-law.js';
import {
  batchSizesOf,
  kindsOf,
  leastStableReplicas,
  type PreparedStage,
  type ReplicaKind,
  replicaRange,
} from './prepared-stage.js';
import { optionOf, type StageOption } from './stage-option.js';

function smallestServiceMs(curve: ServiceCurve, fraction: number): number {
  const sizes = Array.from({ length: curve.maxBatchSize }, (_, i) => i + 1);
  return Math.min(...sizes.map((k) => Math.min(curve.meanMs(k), lawQuantileMs(curve.law(k), fraction))));
}

/** Relaxed option of a replica kind up to a batch size; none if the bounds leave it unstable. */
function relaxedOption(prepared: PreparedStage, kind: ReplicaKind, maxBatchSize: number): readonly StageOption[] {
  const [least, most] = replicaRange(prepared, kind);
  const oneRps = capacityRps(kind.curve, 1, maxBatchSize);
  const replicas = Math.max(least, leastStableReplicas(prepared, oneRps));
  if (replicas > most) return [];
  const ms = smallestServiceMs(kind.curve, prepared.percentile / 100);
  const run = { maxBatchSize, replicas, capacityRps: replicas * oneRps };
  return [optionOf(prepared, kind, run, { meanMs: ms, tailMs: ms, exact: true })];
}

/** Relaxed options with the largest batch, which needs the fewest replicas. */
export const relaxedStageOptions = (prepared: PreparedStage): readonly StageOption[] =>
  kindsOf(prepared).flatMap((kind) =>
    batchSizesOf(prepared, kind.curve)
      .slice(-1)
      .flatMap((maxBatchSize) => relaxedOption(prepared, kind, maxBatchSize)),
  );

/** Relaxed options for every batch size, for objectives that charge batches. */
export const relaxedOptionsByBatch = (prepared: PreparedStage): readonly StageOption[] =>
  kindsOf(prepared).flatMap((kind) =>
    batchSizesOf(prepared, kind.curve).flatMap((maxBatchSize) => relaxedOption(prepared, kind, maxBatchSize)),
  );
