/** Load of one stage, and the choices that pins, bounds and budget allow. */

import type { StageLoad } from '../../estimate/stage-load.js';
import type { Burstiness } from '../../model/expected-load.js';
import type { VariantId } from '../../model/ids.js';
import type { Prices, Resources, StageSpec, VariantSpec } from '../../model/pipeline-spec.js';
import type { RunningStage } from '../../model/running-plan.js';
import type { ServiceCurve } from '../../profile/service-curves.js';
import type { Estimator } from '../planning-problem.js';
import { type ResourceUse, useOf } from '../problem/resource-use.js';

export interface PreparedStage {
  readonly stage: StageSpec;
  /** Variants to choose from. Default: all. */
  readonly variants: readonly VariantId[] | undefined;
  readonly load: StageLoad;
  readonly curveOf: (variant: VariantId, cpuCores: number) => ServiceCurve | undefined;
  readonly loadMsOf: (variant: VariantSpec) => number;
  readonly prices: Prices;
  readonly limits: ResourceUse;
  readonly estimator: Estimator;
  readonly burstiness: Burstiness | undefined;
  readonly percentile: number;
  readonly running: RunningStage | undefined;
  readonly inForceMs: number;
}

export interface ReplicaKind {
  readonly variant: VariantSpec;
  readonly variantIndex: number;
  readonly curve: ServiceCurve;
  readonly resources: Resources;
}

const MOST_REPLICAS = 4096;
/** Rate that replaces 0. */
const IDLE_RPS = 1e-3;

export const plannedRps = (load: Pick<StageLoad, 'arrivalRps'>): number => Math.max(load.arrivalRps, IDLE_RPS);

/** Replica kinds that pins allow and that have a profile. */
export function kindsOf(prepared: PreparedStage): readonly ReplicaKind[] {
  const { stage, variants, curveOf } = prepared;
  const { pins } = stage;
  return stage.variants.flatMap((variant, variantIndex) => {
    if (pins.variantId !== undefined && pins.variantId !== variant.id) return [];
    if (variants?.includes(variant.id) === false) return [];
    const cores = variant.cpuCores.filter((c) => pins.cpuCores === undefined || pins.cpuCores === c);
    return cores.flatMap((cpuCores) => {
      const curve = curveOf(variant.id, cpuCores);
      const resources = { cpuCores, memoryBytes: variant.memoryBytes, gpus: variant.gpus };
      return curve === undefined ? [] : [{ variant, variantIndex, curve, resources }];
    });
  });
}

/** Allowed batch sizes, ascending. */
export function batchSizesOf({ stage }: PreparedStage, curve: ServiceCurve): readonly number[] {
  const { bounds, pins } = stage;
  const allowed =
    bounds.batchSizes === undefined ? curve.batchSizes : curve.batchSizes.filter((b) => bounds.batchSizes?.includes(b));
  return pins.maxBatchSize === undefined ? allowed : allowed.filter((b) => b === pins.maxBatchSize);
}

/** Minimum and maximum replicas within pins, bounds and budget. May be empty (minimum above maximum). */
export function replicaRange(prepared: PreparedStage, kind: ReplicaKind): readonly [number, number] {
  const { bounds, pins } = prepared.stage;
  if (pins.replicas !== undefined) return [pins.replicas, pins.replicas];
  const one = useOf(kind.resources, 1, prepared.prices);
  const affordable = one.map((amount, r) =>
    amount > 0 ? Math.floor((prepared.limits[r] as number) / amount + 1e-9) : MOST_REPLICAS,
  );
  return [Math.max(1, bounds.minReplicas), Math.min(MOST_REPLICAS, bounds.maxReplicas, ...affordable)];
}

/** Minimum replicas, of capacity `oneRps` each, with a load factor below 1. The sum of tails also accepts 1. */
export function leastStableReplicas({ load, estimator }: PreparedStage, oneRps: number): number {
  const loadFactor = plannedRps(load) / oneRps;
  if (estimator === 'sum-of-tails') return Math.max(1, Math.ceil(loadFactor - 1e-9));
  return Math.floor(loadFactor * (1 + 1e-12)) + 1;
}
