/**
 * The relaxation of a stage: per variant and cores the fewest stable replicas over all batch sizes, and no time but the smallest service
 * time (the smaller of its mean and its SLO percentile). No real option of that variant and cores uses less or answers faster.
 */
import { capacityRps, type ServiceCurve } from '../../profile/service-curve.js';
import { lawQuantileMs } from '../../profile/service-law.js';
import { optionOf, type StageOption } from './stage-option.js';
import { batchSizesOf, kindsOf, leastStableReplicas, replicaRange, type StageSetting } from './stage-setting.js';

function smallestServiceMs(curve: ServiceCurve, fraction: number): number {
  const sizes = Array.from({ length: curve.maxBatchSize }, (_, i) => i + 1);
  return Math.min(...sizes.map((k) => Math.min(curve.meanMs(k), lawQuantileMs(curve.law(k), fraction))));
}

/** The relaxed options of a stage. */
export function relaxedStageOptions(setting: StageSetting): readonly StageOption[] {
  return kindsOf(setting).flatMap((kind) => {
    const [least, most] = replicaRange(setting, kind);
    const maxBatchSize = batchSizesOf(setting, kind.curve).at(-1);
    if (maxBatchSize === undefined) return [];
    const oneRps = capacityRps(kind.curve, 1, maxBatchSize);
    const replicas = Math.max(least, leastStableReplicas(setting, oneRps));
    if (replicas > most) return [];
    const ms = smallestServiceMs(kind.curve, setting.percentile / 100);
    const run = { maxBatchSize, replicas, capacityRps: replicas * oneRps };
    return [optionOf(setting, kind, run, { meanMs: ms, tailMs: ms, exact: true })];
  });
}
