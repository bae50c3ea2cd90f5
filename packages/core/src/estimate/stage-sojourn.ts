/**
 * Sojourn time (queue, batch wait and service) of a stage under greedy batching. The stage is stable below the
 * full-batch capacity n · f · b ÷ s(b), the base of the load factor. The law is that of the last item of a request.
 */

import { type Burstiness, isPoisson, poissonBurstiness } from '../model/expected-load.js';
import type { ServiceCurve } from '../profile/service-curve.js';
import { type EffectiveBurstiness, effectiveBurstiness } from './burstiness.js';

import { burstyLaw } from './bursty-law.js';
import { shareLaw } from './share-simulation.js';
import { lawMean, lawQuantile } from './sojourn-law.js';
import { type StageShape, type TableLaw, tableLaw } from './table-law.js';

/** `arrivalRps` counts items. */
export interface StageQuery {
  readonly curve: ServiceCurve;
  readonly replicas: number;
  readonly maxBatchSize: number;
  readonly arrivalRps: number;
  readonly groupSize: number;
  /** Items of one request among them. Default: all. */
  readonly itemsPerRequest?: number;
  readonly burstiness?: Burstiness | undefined;
}

/** Unstable stages have infinite times. */
export interface StageEstimate {
  readonly loadFactor: number;
  readonly stable: boolean;
  readonly meanMs: number;
  readonly meanBatchSize: number;
  /** Time (ms) that a `fraction` (0…1) of requests does not exceed. */
  quantileMs(fraction: number): number;
}

interface LoadedStage {
  readonly shape: StageShape;
  readonly burstiness: EffectiveBurstiness;
  readonly loadFactor: number;
  readonly capacityPerMs: number;
}

function effectiveBurstinessAt(
  shape: StageShape,
  query: StageQuery,
  load: { readonly loadFactor: number; readonly capacityPerMs: number },
): EffectiveBurstiness {
  const { burstiness = poissonBurstiness, arrivalRps } = query;
  if (isPoisson(burstiness) || !(load.loadFactor < 1)) return { dispersion: 1 };
  const usualBatch = Math.round(tableLaw(shape, load.loadFactor * load.capacityPerMs).meanBatchSize);
  const stageMs = shape.curve.meanMs(usualBatch) / shape.curve.shareFraction;
  return effectiveBurstiness(burstiness, arrivalRps / (1000 * shape.itemsPerRequest), stageMs);
}

function loadStage(query: StageQuery): LoadedStage {
  const { curve, replicas } = query;
  const maxBatchSize = Math.min(query.maxBatchSize, curve.maxBatchSize);
  const groupSize = Math.max(1, query.groupSize);
  const itemsPerRequest = Math.max(1, Math.min(groupSize, query.itemsPerRequest ?? groupSize));
  const fullMs = curve.meanMs(maxBatchSize) / curve.shareFraction;
  const capacityPerMs = (replicas * maxBatchSize) / fullMs;
  const loadFactor = query.arrivalRps / (1000 * capacityPerMs);
  const steady = { curve, replicas, maxBatchSize, groupSize, itemsPerRequest, dispersion: 1 };
  const felt = effectiveBurstinessAt(steady, query, { loadFactor, capacityPerMs });
  return { shape: { ...steady, dispersion: felt.dispersion }, burstiness: felt, capacityPerMs, loadFactor };
}

function estimateOf(loadFactor: number, { law, meanBatchSize }: TableLaw): StageEstimate {
  const quantileMs = (fraction: number): number => lawQuantile(law, fraction);
  return { loadFactor, stable: true, meanMs: lawMean(law), meanBatchSize, quantileMs };
}

function unstableEstimate({ loadFactor, shape }: LoadedStage): StageEstimate {
  const never = Number.POSITIVE_INFINITY;
  return { loadFactor, stable: false, meanMs: never, meanBatchSize: shape.maxBatchSize, quantileMs: () => never };
}

function analyticalLaw({ shape, burstiness, loadFactor, capacityPerMs }: LoadedStage): TableLaw {
  const meanPerMs = loadFactor * capacityPerMs;
  if (burstiness.switching === undefined) return tableLaw(shape, meanPerMs);
  return burstyLaw(shape, { meanPerMs, capacityPerMs, switching: burstiness.switching });
}

/** From the table, in microseconds. A safe bound for CPU shares below one core. */
export function estimateStage(query: StageQuery): StageEstimate {
  const stage = loadStage(query);
  return stage.loadFactor < 1 ? estimateOf(stage.loadFactor, analyticalLaw(stage)) : unstableEstimate(stage);
}

/** Same, but simulates a share below one core: milliseconds for the first call. */
export function refineStage(query: StageQuery): StageEstimate {
  if (query.curve.shareFraction >= 1) return estimateStage(query);
  const stage = loadStage(query);
  if (!(stage.loadFactor < 1)) return unstableEstimate(stage);
  return estimateOf(stage.loadFactor, shareLaw(stage.shape, stage, analyticalLaw(stage).law));
}
