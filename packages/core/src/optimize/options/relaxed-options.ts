/**
 * The relaxation of a stage: per variant and cores the fewest stable replicas, and no time but the smallest service time over all batch
 * sizes (the smaller of its mean and its SLO percentile). No real option of that variant and cores uses less or answers faster; where batches
 * are charged, there is one for each batch size, of which the same holds.
 */
import { capacityRps, type ServiceCurve } from '../../profile/service-curve.js';
import { lawQuantileMs } from '../../profile/service-law.js';
import { optionOf, type StageOption } from './stage-option.js';
import {
  batchSizesOf,
  kindsOf,
  leastStableReplicas,
  type ReplicaKind,
  replicaRange,
  type StageSetting,
} from './stage-setting.js';

function smallestServiceMs(curve: ServiceCurve, fraction: number): number {
  const sizes = Array.from({ length: curve.maxBatchSize }, (_, i) => i + 1);
  return Math.min(...sizes.map((k) => Math.min(curve.meanMs(k), lawQuantileMs(curve.law(k), fraction))));
}

/** The relaxed option of a kind of replica with batches up to a size; none where the bounds leave it unstable. */
function relaxedOption(setting: StageSetting, kind: ReplicaKind, maxBatchSize: number): readonly StageOption[] {
  const [least, most] = replicaRange(setting, kind);
  const oneRps = capacityRps(kind.curve, 1, maxBatchSize);
  const replicas = Math.max(least, leastStableReplicas(setting, oneRps));
  if (replicas > most) return [];
  const ms = smallestServiceMs(kind.curve, setting.percentile / 100);
  const run = { maxBatchSize, replicas, capacityRps: replicas * oneRps };
  return [optionOf(setting, kind, run, { meanMs: ms, tailMs: ms, exact: true })];
}

/** The relaxed options of a stage: with the largest batch, which needs the fewest replicas. */
export const relaxedStageOptions = (setting: StageSetting): readonly StageOption[] =>
  kindsOf(setting).flatMap((kind) =>
    batchSizesOf(setting, kind.curve)
      .slice(-1)
      .flatMap((maxBatchSize) => relaxedOption(setting, kind, maxBatchSize)),
  );

/** The same with every batch size, for objectives that charge large ones. */
export const relaxedOptionsByBatch = (setting: StageSetting): readonly StageOption[] =>
  kindsOf(setting).flatMap((kind) =>
    batchSizesOf(setting, kind.curve).flatMap((maxBatchSize) => relaxedOption(setting, kind, maxBatchSize)),
  );
