import { sumOfTailsReplicas } from '../../estimate/sum-of-tails.js';
import { type VariantId, variantId } from '../../model/ids.js';
import type { Resources } from '../../model/pipeline-spec.js';
import type { StagePlan } from '../../model/plan.js';
import type { RunningStage } from '../../model/running-plan.js';
import { capacityRps, type ServiceCurve } from '../../profile/service-curves.js';
import { lawQuantileMs } from '../../profile/service-law.js';
import { isWithin, type ResourceUse, replicaCostPerHour, useOf } from '../problem/resource-use.js';
import { type OptionTimes, optionTimes } from './option-times.js';
import {
  batchSizesOf,
  kindsOf,
  leastStableReplicas,
  type PreparedStage,
  plannedRps,
  type ReplicaKind,
  replicaRange,
} from './prepared-stage.js';

/** Cost of switching to an option: started replicas × price per hour × load time ÷ time in force. Stopping is free. */

export interface SwitchTarget {
  readonly variantId: VariantId;
  readonly resources: Resources;
  readonly replicas: number;
  readonly replicaCostPerHour: number;
  readonly loadMs: number;
}

/** Cost per hour of the switch; 0 if nothing runs. */
function switchingCostPerHour(target: SwitchTarget, running: RunningStage | undefined, inForceMs: number): number {
  if (running === undefined || !(inForceMs > 0)) return 0;
  const reusable = running.replicas.filter(
    (replica) =>
      (replica.status === 'ready' || replica.status === 'starting') &&
      replica.variantId === target.variantId &&
      replica.resources.cpuCores === target.resources.cpuCores,
  ).length;
  const started = Math.max(0, target.replicas - reusable);
  return (started * target.replicaCostPerHour * target.loadMs) / inForceMs;
}

/**
 * Options of a stage: variant × cores × max batch size × replicas, with estimated sojourn times. Replica counts begin
 * at the minimum stable count. They end at bounds or budget, or when one more replica (beyond the group size) does not
 * shorten the times.
 */

/** `capacityRps` counts items. */
export interface StageOption extends OptionTimes {
  readonly variantId: VariantId;
  readonly variantIndex: number;
  readonly curve: ServiceCurve;
  readonly resources: Resources;
  readonly maxBatchSize: number;
  readonly replicas: number;
  readonly capacityRps: number;
  readonly use: ResourceUse;
  readonly switchingCostPerHour: number;
}

/** The only option of a combine stage, which has no replicas and takes no time. */
export const combineOption: StageOption = {
  variantId: variantId('combine'),
  variantIndex: 0,
  curve: {
    cpuCores: 0,
    threadCores: 0,
    shareFraction: 1,
    dispatchCores: 0,
    batchSizes: [],
    maxBatchSize: 0,
    meanMs: () => 0,
    law: () => ({ kind: 'constant', ms: 0 }),
  },
  resources: { cpuCores: 0, memoryBytes: 0, gpus: 0 },
  maxBatchSize: 0,
  replicas: 0,
  capacityRps: Number.POSITIVE_INFINITY,
  use: [0, 0, 0, 0],
  switchingCostPerHour: 0,
  meanMs: 0,
  tailMs: 0,
  exact: true,
};

const LEAST_GAIN = 1e-6;

interface OptionRun {
  readonly maxBatchSize: number;
  readonly replicas: number;
  readonly capacityRps: number;
}

function optionOf(prepared: PreparedStage, kind: ReplicaKind, run: OptionRun, times: OptionTimes): StageOption {
  const { variant, variantIndex, curve, resources } = kind;
  const { maxBatchSize, replicas } = run;
  const { prices, running } = prepared;
  const switching =
    running === undefined
      ? 0
      : switchingCostPerHour(switchTarget(prepared, kind, replicas), running, prepared.inForceMs);
  return {
    variantId: variant.id,
    variantIndex,
    curve,
    resources,
    maxBatchSize,
    replicas,
    capacityRps: run.capacityRps,
    meanMs: times.meanMs,
    tailMs: times.tailMs,
    exact: times.exact,
    use: useOf(resources, replicas, prices),
    switchingCostPerHour: switching,
  };
}

function switchTarget(prepared: PreparedStage, { variant, resources }: ReplicaKind, replicas: number): SwitchTarget {
  return {
    variantId: variant.id,
    resources,
    replicas,
    replicaCostPerHour: replicaCostPerHour(resources, prepared.prices),
    loadMs: prepared.loadMsOf(variant),
  };
}

function shortens(now: OptionTimes, before: OptionTimes | undefined): boolean {
  if (before === undefined || !now.exact) return true;
  return now.tailMs < before.tailMs * (1 - LEAST_GAIN) || now.meanMs < before.meanMs * (1 - LEAST_GAIN);
}

function distributionOptions(prepared: PreparedStage, kind: ReplicaKind, maxBatchSize: number): readonly StageOption[] {
  const [least, most] = replicaRange(prepared, kind);
  const { curve } = kind;
  const oneRps = capacityRps(curve, 1, maxBatchSize);
  const options: StageOption[] = [];
  let before: OptionTimes | undefined;
  for (let replicas = Math.max(least, leastStableReplicas(prepared, oneRps)); replicas <= most; replicas++) {
    const now = optionTimes(prepared, { curve, maxBatchSize, replicas });
    // Full batches can have less capacity than smaller batches.
    if (now.tailMs === Number.POSITIVE_INFINITY) continue;
    options.push(optionOf(prepared, kind, { maxBatchSize, replicas, capacityRps: replicas * oneRps }, now));
    if (!shortens(now, before) && replicas > prepared.load.groupSize) break;
    before = now;
  }
  return options;
}

function sumOfTailsOptions(prepared: PreparedStage, kind: ReplicaKind, maxBatchSize: number): readonly StageOption[] {
  const [least, most] = replicaRange(prepared, kind);
  const { curve } = kind;
  const replicas = Math.max(least, sumOfTailsReplicas(curve, maxBatchSize, plannedRps(prepared.load)));
  if (replicas > most) return [];
  const times = optionTimes(prepared, { curve, maxBatchSize, replicas });
  const run = { maxBatchSize, replicas, capacityRps: capacityRps(curve, replicas, maxBatchSize) };
  return [optionOf(prepared, kind, run, times)];
}

/** Options of a stage, each of which alone fits the limits. */
export function stageOptions(prepared: PreparedStage): readonly StageOption[] {
  const make = prepared.estimator === 'distribution' ? distributionOptions : sumOfTailsOptions;
  return kindsOf(prepared).flatMap((kind) =>
    batchSizesOf(prepared, kind.curve).flatMap((b) =>
      make(prepared, kind, b).filter((o) => o.use.every((amount, r) => isWithin(amount, prepared.limits[r] as number))),
    ),
  );
}

/**
 * Relaxation of a stage: per variant and core count, the minimum stable replicas, and the smallest service time (mean
 * or SLO percentile) over all batch sizes. No real option uses less or is faster.
 */

function smallestServiceMs(curve: ServiceCurve, fraction: number): number {
  const sizes = Array.from({ length: curve.maxBatchSize }, (_, i) => i + 1);
  return Math.min(...sizes.map((k) => Math.min(curve.meanMs(k), lawQuantileMs(curve.law(k), fraction))));
}

/** The relaxed option of a replica kind; empty if bounds allow no stable option. */
function relaxedOption(prepared: PreparedStage, kind: ReplicaKind, maxBatchSize: number): readonly StageOption[] {
  const [least, most] = replicaRange(prepared, kind);
  const oneRps = capacityRps(kind.curve, 1, maxBatchSize);
  const replicas = Math.max(least, leastStableReplicas(prepared, oneRps));
  if (replicas > most) return [];
  const ms = smallestServiceMs(kind.curve, prepared.percentile / 100);
  const run = { maxBatchSize, replicas, capacityRps: replicas * oneRps };
  return [optionOf(prepared, kind, run, { meanMs: ms, tailMs: ms, exact: true })];
}

/** Uses the largest batch size, which needs the fewest replicas. */
export const relaxedStageOptions = (prepared: PreparedStage): readonly StageOption[] =>
  kindsOf(prepared).flatMap((kind) =>
    batchSizesOf(prepared, kind.curve)
      .slice(-1)
      .flatMap((maxBatchSize) => relaxedOption(prepared, kind, maxBatchSize)),
  );

/** Relaxed options per batch size, for objectives that penalize batch sizes. */
export const relaxedOptionsByBatch = (prepared: PreparedStage): readonly StageOption[] =>
  kindsOf(prepared).flatMap((kind) =>
    batchSizesOf(prepared, kind.curve).flatMap((maxBatchSize) => relaxedOption(prepared, kind, maxBatchSize)),
  );

/** Identifies an option, also in plans and related problems. */
export type OptionKind = Pick<StagePlan, 'variantId' | 'resources' | 'maxBatchSize' | 'replicas'>;

export const matchesOption = (kind: OptionKind, o: OptionKind): boolean =>
  o.variantId === kind.variantId &&
  o.resources.cpuCores === kind.resources.cpuCores &&
  o.maxBatchSize === kind.maxBatchSize &&
  o.replicas === kind.replicas;
