import { sumOfTailsReplicas } from '../../estimate/sum-of-tails.js';
import type { VariantId } from '../../model/ids.js';
import type { Resources } from '../../model/pipeline-spec.js';
import type { RunningStage } from '../../model/running-plan.js';
import { capacityRps, type ServiceCurve } from '../../profile/service-curve.js';
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

/**
 * What it costs to move a stage from what runs to an option: replicas that must be started are paid for while they load and give no
 * capacity meanwhile. Spread over the time that a choice is expected to stay in force, that is
 * started replicas × price of one per hour × load time ÷ time in force, a cost per hour like any other and additive over stages.
 * Stopping replicas costs nothing.
 */

/** The replicas an option wants, with what starting one costs. */
export interface SwitchTarget {
  readonly variantId: VariantId;
  readonly resources: Resources;
  readonly replicas: number;
  readonly replicaCostPerHour: number;
  readonly loadMs: number;
}

/** Cost per hour of reaching `target` when it stays in force for `inForceMs`; 0 when nothing runs yet. */
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
 * The options of a stage: variant × cores × max batch size × replicas, each with its estimated sojourn time.
 *
 * Useful replica counts start at the least stable one and end where a further replica no longer shortens the estimate, at the bounds, or
 * at the budget. With the sum-of-tails estimator each (variant, cores, batch) has the one count of that formula.
 */

/** One way to run a stage at the planned load; `capacityRps` counts items. */
export interface StageOption extends OptionTimes {
  readonly variantId: VariantId;
  /** Position of the variant in the stage. */
  readonly variantIndex: number;
  readonly curve: ServiceCurve;
  readonly resources: Resources;
  readonly maxBatchSize: number;
  readonly replicas: number;
  readonly capacityRps: number;
  readonly use: ResourceUse;
  readonly switchingCostPerHour: number;
}

/** A further replica must shorten the estimate by this share, or the counts end. */
const LEAST_GAIN = 1e-6;

/** How an option is run. */
interface OptionRun {
  readonly maxBatchSize: number;
  readonly replicas: number;
  readonly capacityRps: number;
}

/** The option of a kind of replica with a size and times. */
export function optionOf(prepared: PreparedStage, kind: ReplicaKind, run: OptionRun, times: OptionTimes): StageOption {
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
    // Full batches may carry less than smaller ones: then this is not the count from which the stage is stable.
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

/** All options of a stage that fit the limits alone. */
export function stageOptions(prepared: PreparedStage): readonly StageOption[] {
  const make = prepared.estimator === 'distribution' ? distributionOptions : sumOfTailsOptions;
  return kindsOf(prepared).flatMap((kind) =>
    batchSizesOf(prepared, kind.curve).flatMap((b) =>
      make(prepared, kind, b).filter((o) => o.use.every((amount, r) => isWithin(amount, prepared.limits[r] as number))),
    ),
  );
}
