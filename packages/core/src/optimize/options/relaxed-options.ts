/**
 * The relaxation of a stage: per variant and cores the fewest stable replicas, and no time but the smallest service time over all batch
 * sizes (the smaller of its mean and its SLO percentile). No real option of that variant and cores uses less or answers faster; where batches
 * are charged, there is one for each batch size, of which the same holds.
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

/** The relaxed option of a kind of replica with batches up to a size; none where the bounds leave it unstable. */
function relaxedOption(prepared: PreparedStage, kind: ReplicaKind, maxBatchSize: number): readonly StageOption[] {
  const [least, most] = replicaRange(prepared, kind);
  const oneRps = capacityRps(kind.curve, 1, maxBatchSize);
  const replicas = Math.max(least, leastStableReplicas(prepared, oneRps));
  if (replicas > most) return [];
  const ms = smallestServiceMs(kind.curve, prepared.percentile / 100);
  const run = { maxBatchSize, replicas, capacityRps: replicas * oneRps };
  return [optionOf(prepared, kind, run, { meanMs: ms, tailMs: ms, exact: true })];
}

/** The relaxed options of a stage: with the largest batch, which needs the fewest replicas. */
export const relaxedStageOptions = (prepared: PreparedStage): readonly StageOption[] =>
  kindsOf(prepared).flatMap((kind) =>
    batchSizesOf(prepared, kind.curve)
      .slice(-1)
      .flatMap((maxBatchSize) => relaxedOption(prepared, kind, maxBatchSize)),
  );

/** The same with every batch size, for objectives that charge large ones. */
export const relaxedOptionsByBatch = (prepared: PreparedStage): readonly StageOption[] =>
  kindsOf(prepared).flatMap((kind) =>
    batchSizesOf(prepared, kind.curve).flatMap((maxBatchSize) => relaxedOption(prepared, kind, maxBatchSize)),
  );
