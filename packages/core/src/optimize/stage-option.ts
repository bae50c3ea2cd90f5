/**
 * The options of a stage: variant × cores × max batch size × replicas, each with its estimated sojourn time.
 *
 * Useful replica counts start at the least stable one and end where a further replica no longer shortens the estimate, at the bounds, or
 * at the budget. With the sum-of-tails estimator each (variant, cores, batch) has the one count of that formula.
 */

import type { Burstiness } from '../estimate/burstiness.js';
import type { StageLoad } from '../estimate/stage-load.js';
import { estimateStage } from '../estimate/stage-sojourn.js';
import { sumOfTailsReplicas, sumOfTailsStageMs } from '../estimate/sum-of-tails.js';
import type { VariantId } from '../model/ids.js';
import type { Prices, Resources, StageSpec, VariantSpec } from '../model/pipeline-spec.js';
import type { RunningStage } from '../model/running-plan.js';
import { capacityRps, type ServiceCurve } from '../profile/service-curve.js';
import { lawQuantileMs } from '../profile/service-law.js';
import type { Estimator } from './planning-problem.js';
import { type ResourceUse, replicaCostPerHour, useOf, within } from './resource-use.js';
import { switchingCostPerHour } from './switching-cost.js';

/** One way to run a stage at the planned load. Times in ms; `capacityRps` counts items. */
export interface StageOption {
  readonly variantId: VariantId;
  /** Position of the variant in the stage. */
  readonly variantIndex: number;
  readonly curve: ServiceCurve;
  readonly resources: Resources;
  readonly maxBatchSize: number;
  readonly replicas: number;
  readonly capacityRps: number;
  readonly meanMs: number;
  /** The SLO's percentile of the sojourn time. */
  readonly tailMs: number;
  readonly use: ResourceUse;
  readonly switchingCostPerHour: number;
}

/** A stage with what its options depend on. */
export interface StageSetting {
  readonly stage: StageSpec;
  readonly load: StageLoad;
  readonly curveOf: (variant: VariantId, cpuCores: number) => ServiceCurve | undefined;
  readonly loadMsOf: (variant: VariantSpec) => number;
  readonly prices: Prices;
  readonly limits: ResourceUse;
  readonly estimator: Estimator;
  readonly burstiness?: Burstiness;
  readonly percentile: number;
  readonly running: RunningStage | undefined;
  readonly dwellMs: number;
}

/** More replicas of one stage than this are never considered. */
export const MOST_REPLICAS = 4096;
/** A rate that loads nothing: what a plan for zero requests per second is made for. */
const IDLE_RPS = 1e-3;
/** A further replica must shorten the estimate by this share, or the counts end. */
const LEAST_GAIN = 1e-6;

interface Kind {
  readonly variant: VariantSpec;
  readonly variantIndex: number;
  readonly curve: ServiceCurve;
  readonly resources: Resources;
}

interface Timing {
  readonly meanMs: number;
  readonly tailMs: number;
}

/** Item rate to plan a stage for. */
export const plannedRps = (load: Pick<StageLoad, 'arrivalRps'>): number => Math.max(load.arrivalRps, IDLE_RPS);

function kindsOf(setting: StageSetting): readonly Kind[] {
  const { stage, curveOf } = setting;
  const { pins } = stage;
  return stage.variants.flatMap((variant, variantIndex) => {
    if (pins.variantId !== undefined && pins.variantId !== variant.id) return [];
    const cores = variant.cpuCores.filter((c) => pins.cpuCores === undefined || pins.cpuCores === c);
    return cores.flatMap((cpuCores) => {
      const curve = curveOf(variant.id, cpuCores);
      const resources = { cpuCores, memoryBytes: variant.memoryBytes, gpus: variant.gpus };
      return curve === undefined ? [] : [{ variant, variantIndex, curve, resources }];
    });
  });
}

function batchSizesOf(setting: StageSetting, curve: ServiceCurve): readonly number[] {
  const { bounds, pins } = setting.stage;
  const allowed =
    bounds.batchSizes === undefined ? curve.batchSizes : curve.batchSizes.filter((b) => bounds.batchSizes?.includes(b));
  return pins.maxBatchSize === undefined ? allowed : allowed.filter((b) => b === pins.maxBatchSize);
}

/** Smallest and largest replica count that pins, bounds and budget allow (empty when the first exceeds the second). */
function replicaRange(setting: StageSetting, kind: Kind): readonly [number, number] {
  const { bounds, pins } = setting.stage;
  if (pins.replicas !== undefined) return [pins.replicas, pins.replicas];
  const one = useOf(kind.resources, 1, setting.prices);
  const affordable = one.map((amount, r) =>
    amount > 0 ? Math.floor((setting.limits[r] as number) / amount + 1e-9) : MOST_REPLICAS,
  );
  return [Math.max(1, bounds.minReplicas), Math.min(MOST_REPLICAS, bounds.maxReplicas, ...affordable)];
}

function timing(
  setting: StageSetting,
  kind: Kind,
  size: { readonly maxBatchSize: number; readonly replicas: number },
): Timing {
  const estimate = estimateStage({
    curve: kind.curve,
    ...size,
    arrivalRps: plannedRps(setting.load),
    groupSize: Math.max(1, setting.load.groupSize),
    ...(setting.burstiness === undefined ? {} : { burstiness: setting.burstiness }),
  });
  return { meanMs: estimate.meanMs, tailMs: estimate.quantileMs(setting.percentile / 100) };
}

function option(
  setting: StageSetting,
  kind: Kind,
  at: Timing & { maxBatchSize: number; replicas: number },
): StageOption {
  const { variant, variantIndex, curve, resources } = kind;
  const target = {
    variantId: variant.id,
    resources,
    replicas: at.replicas,
    replicaCostPerHour: replicaCostPerHour(resources, setting.prices),
    loadMs: setting.loadMsOf(variant),
  };
  return {
    variantId: variant.id,
    variantIndex,
    curve,
    resources,
    ...at,
    capacityRps: capacityRps(curve, at.replicas, at.maxBatchSize),
    use: useOf(resources, at.replicas, setting.prices),
    switchingCostPerHour: switchingCostPerHour(target, setting.running, setting.dwellMs),
  };
}

/** Fewest replicas with a load factor below 1; the formula of the literature also takes exactly 1. */
function leastStableReplicas(setting: StageSetting, curve: ServiceCurve, maxBatchSize: number): number {
  const loadFactor = plannedRps(setting.load) / capacityRps(curve, 1, maxBatchSize);
  if (setting.estimator === 'sum-of-tails') return Math.max(1, Math.ceil(loadFactor - 1e-9));
  return Math.floor(loadFactor * (1 + 1e-12)) + 1;
}

function smallestServiceMs(curve: ServiceCurve, fraction: number): number {
  const sizes = Array.from({ length: curve.maxBatchSize }, (_, i) => i + 1);
  return Math.min(...sizes.map((k) => Math.min(curve.meanMs(k), lawQuantileMs(curve.law(k), fraction))));
}

function distributionOptions(setting: StageSetting, kind: Kind, maxBatchSize: number): readonly StageOption[] {
  const [least, most] = replicaRange(setting, kind);
  const options: StageOption[] = [];
  let before: Timing | undefined;
  for (let n = Math.max(least, leastStableReplicas(setting, kind.curve, maxBatchSize)); n <= most; n++) {
    const now = timing(setting, kind, { maxBatchSize, replicas: n });
    options.push(option(setting, kind, { ...now, maxBatchSize, replicas: n }));
    const gained =
      before === undefined ||
      now.tailMs < before.tailMs * (1 - LEAST_GAIN) ||
      now.meanMs < before.meanMs * (1 - LEAST_GAIN);
    if (!gained && n > setting.load.groupSize) break;
    before = now;
  }
  return options;
}

function sumOfTailsOptions(setting: StageSetting, kind: Kind, maxBatchSize: number): readonly StageOption[] {
  const [least, most] = replicaRange(setting, kind);
  const rps = plannedRps(setting.load);
  const replicas = Math.max(least, sumOfTailsReplicas(kind.curve, maxBatchSize, rps));
  if (replicas > most) return [];
  const ms = sumOfTailsStageMs(kind.curve, maxBatchSize, rps);
  return [option(setting, kind, { meanMs: ms, tailMs: ms, maxBatchSize, replicas })];
}

/** All options of a stage that fit the limits alone. */
export function stageOptions(setting: StageSetting): readonly StageOption[] {
  const make = setting.estimator === 'distribution' ? distributionOptions : sumOfTailsOptions;
  return kindsOf(setting).flatMap((kind) =>
    batchSizesOf(setting, kind.curve).flatMap((b) =>
      make(setting, kind, b).filter((o) => o.use.every((amount, r) => within(amount, setting.limits[r] as number))),
    ),
  );
}

/**
 * The relaxation of a stage: per variant and cores the fewest stable replicas over all batch sizes, and no time but the smallest
 * service time. No real option of that variant and cores uses less or answers faster.
 */
export function relaxedStageOptions(setting: StageSetting): readonly StageOption[] {
  return kindsOf(setting).flatMap((kind) => {
    const [least, most] = replicaRange(setting, kind);
    const sizes = batchSizesOf(setting, kind.curve);
    const largest = sizes.at(-1);
    if (largest === undefined) return [];
    const replicas = Math.max(least, leastStableReplicas(setting, kind.curve, largest));
    if (replicas > most) return [];
    const ms = smallestServiceMs(kind.curve, setting.percentile / 100);
    return [option(setting, kind, { meanMs: ms, tailMs: ms, maxBatchSize: largest, replicas })];
  });
}
