/**
 * Sojourn time (queue, batch wait and service) of a stage with greedy batching. Load factors are relative to the
 * full-batch capacity n · f · b ÷ s(b); below it the stage is stable. The law describes the last item of a request.
 */

import { type Burstiness, isPoisson, poissonBurstiness } from '../model/expected-load.js';
import type { ServiceCurve } from '../profile/service-curves.js';
import { type EffectiveBurstiness, effectiveBurstiness } from './burstiness.js';
import { burstyLaw } from './bursty-law.js';
import { type OwnService, ownMs, VariedLaw, variedMean } from './own-service.js';
import { shareLaw } from './share-simulation.js';
import { lawFractions, lawMean, lawQuantile, mixLaws, type SojournLaw } from './sojourn-law.js';
import { type StageShape, type TableLaw, tableLaw, usualBatchSize } from './table-law.js';
import { lastingGroupSize, sizeParts, sizeWithMean, type UpstreamBatches } from './upstream-batches.js';

/** `arrivalRps` counts items. */
export interface StageQuery {
  readonly curve: ServiceCurve;
  readonly replicas: number;
  readonly maxBatchSize: number;
  readonly arrivalRps: number;
  readonly groupSize: number;
  /** Items of the same request in a group. Default: all. */
  readonly itemsPerRequest?: number;
  readonly burstiness?: Burstiness | undefined;
  /** Batches in which items arrive; `groupSize` does not count them. */
  readonly upstream?: UpstreamBatches | undefined;
}

/** Unstable stages have infinite times. */
export interface StageEstimate {
  readonly loadFactor: number;
  readonly stable: boolean;
  readonly meanMs: number;
  readonly meanBatchSize: number;
  /** Size of an item's batch, at the middle of each of `sizeParts`. */
  batchSizes(): readonly number[];
  /** Times at `lawFractions`. */
  law(): SojournLaw;
  /** Time (ms) that a `fraction` (0…1) of requests does not exceed. */
  quantileMs(fraction: number): number;
}

interface LoadedStage {
  readonly shape: StageShape;
  readonly upstream: UpstreamBatches | undefined;
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
  const usualBatch = Math.round(usualBatchSize(shape, load.loadFactor));
  const stageMs = shape.curve.meanMs(usualBatch) / shape.curve.shareFraction;
  return effectiveBurstiness(burstiness, arrivalRps / (1000 * shape.itemsPerRequest), stageMs);
}

function loadStage(query: StageQuery): LoadedStage {
  const { curve, replicas } = query;
  const maxBatchSize = Math.min(query.maxBatchSize, curve.maxBatchSize);
  const { upstream } = query;
  const groupSize = Math.max(1, query.groupSize);
  const itemsPerRequest = Math.max(1, Math.min(groupSize, query.itemsPerRequest ?? groupSize));
  const fullMs = curve.meanMs(maxBatchSize) / curve.shareFraction;
  const capacityPerMs = (replicas * maxBatchSize) / fullMs;
  const loadFactor = query.arrivalRps / (1000 * capacityPerMs);
  const steady = { curve, replicas, maxBatchSize, groupSize, itemsPerRequest, dispersion: 1 };
  const felt = effectiveBurstinessAt(steady, query, { loadFactor, capacityPerMs });
  const shape = { ...steady, dispersion: felt.dispersion };
  return { shape, upstream, burstiness: felt, capacityPerMs, loadFactor };
}

function itemBatchSizes({ shape }: LoadedStage, law: SojournLaw): readonly number[] {
  const own = ownTimes(shape);
  return sizeParts.map(({ middle }) =>
    sizeWithMean(shape.curve, ownMs(own, lawQuantile(law, middle)) * shape.curve.shareFraction, shape.maxBatchSize),
  );
}

function ownTimes({ curve, maxBatchSize, groupSize }: StageShape): Omit<OwnService, 'law' | 'parallelBatches'> {
  const leastMs = curve.meanMs(Math.ceil(Math.min(maxBatchSize, groupSize)));
  return { leastMs, fullMs: curve.meanMs(maxBatchSize) / curve.shareFraction };
}

function ownService(shape: StageShape, usual: number): OwnService {
  const { curve, maxBatchSize, groupSize, replicas, itemsPerRequest } = shape;
  const size = Math.round(Math.max(usual, Math.min(maxBatchSize, groupSize)));
  const parallelBatches = Math.max(1, Math.min(replicas, itemsPerRequest / maxBatchSize));
  const { leastMs, fullMs } = ownTimes(shape);
  return { law: curve.law(size), leastMs, fullMs, parallelBatches };
}

/** Adds the variation of the own batch on first use. */
class Estimate implements StageEstimate {
  readonly stable = true;
  readonly #stage: LoadedStage;
  readonly #law: SojournLaw;
  readonly #own: OwnService | undefined;
  readonly meanMs: number;
  readonly meanBatchSize: number;
  #varied: VariedLaw | undefined;
  #withOwn: SojournLaw | undefined;

  constructor(stage: LoadedStage, { law, meanBatchSize }: TableLaw) {
    const own = ownService(stage.shape, meanBatchSize);
    this.#stage = stage;
    this.#law = law;
    this.#own = own.law.kind === 'constant' ? undefined : own;
    this.meanMs = this.#own === undefined ? lawMean(law) : variedMean(law, own);
    this.meanBatchSize = meanBatchSize;
  }

  get loadFactor(): number {
    return this.#stage.loadFactor;
  }

  batchSizes(): readonly number[] {
    return itemBatchSizes(this.#stage, this.#law);
  }

  quantileMs(fraction: number): number {
    if (this.#own === undefined) return lawQuantile(this.#law, fraction);
    this.#varied ??= new VariedLaw(this.#law, this.#own);
    return this.#varied.quantileMs(fraction);
  }

  law(): SojournLaw {
    if (this.#own === undefined) return this.#law;
    this.#varied ??= new VariedLaw(this.#law, this.#own);
    this.#withOwn ??= this.#varied.law();
    return this.#withOwn;
  }
}

function unstableEstimate({ loadFactor, shape }: LoadedStage): StageEstimate {
  const never = Number.POSITIVE_INFINITY;
  const { maxBatchSize: meanBatchSize } = shape;
  const batchSizes = (): readonly number[] => sizeParts.map(() => meanBatchSize);
  const law = (): SojournLaw => new Float64Array(lawFractions.length).fill(never);
  return { loadFactor, stable: false, meanMs: never, meanBatchSize, batchSizes, law, quantileMs: () => never };
}

function lawOfShape(shape: StageShape, { burstiness, loadFactor, capacityPerMs }: LoadedStage): TableLaw {
  const meanPerMs = loadFactor * capacityPerMs;
  if (burstiness.switching === undefined) return tableLaw(shape, meanPerMs);
  return burstyLaw(shape, { meanPerMs, capacityPerMs, switching: burstiness.switching });
}

/**
 * Up to this size, a fractional mean group size is a mixture of the nearest whole sizes. Above, these differ little.
 */
const LARGEST_SPLIT_GROUP = 8;

function groupedLaw(stage: LoadedStage): TableLaw {
  const { shape } = stage;
  const smaller = Math.floor(shape.groupSize);
  const part = shape.groupSize - smaller;
  if (part < 0.01 || smaller >= LARGEST_SPLIT_GROUP || shape.itemsPerRequest > 1) return lawOfShape(shape, stage);
  const low = lawOfShape({ ...shape, groupSize: smaller }, stage);
  const high = lawOfShape({ ...shape, groupSize: smaller + 1 }, stage);
  const weight = (part * (smaller + 1)) / shape.groupSize;
  return {
    law: mixLaws(high.law, low.law, weight),
    meanBatchSize: part * high.meanBatchSize + (1 - part) * low.meanBatchSize,
  };
}

/** Shape if items arrive in batches of `size` from the previous stage. */
function inBatches({ shape, capacityPerMs }: LoadedStage, upstream: UpstreamBatches, size: number): StageShape {
  const groupSize = Math.max(shape.groupSize, size);
  const fullMs = (shape.replicas * shape.maxBatchSize) / capacityPerMs;
  const lastingSize = lastingGroupSize({ size: groupSize, lasting: shape.groupSize }, upstream, fullMs);
  return { ...shape, groupSize, dispersion: (shape.dispersion * lastingSize) / groupSize };
}

function analyticalLaw(stage: LoadedStage): TableLaw {
  const { upstream } = stage;
  const [first = 1, ...larger] = upstream?.sizes ?? [];
  if (upstream === undefined) return groupedLaw(stage);
  let mixed = lawOfShape(inBatches(stage, upstream, first), stage);
  let last = mixed;
  let lastSize = first;
  let weight = sizeParts[0]?.weight ?? 1;
  for (const [i, size] of larger.entries()) {
    if (size > lastSize) last = lawOfShape(inBatches(stage, upstream, size), stage);
    lastSize = size;
    const more = sizeParts[i + 1]?.weight ?? 0;
    const part = weight / (weight + more);
    weight += more;
    if (last === mixed) continue;
    mixed = {
      law: mixLaws(mixed.law, last.law, part),
      meanBatchSize: part * mixed.meanBatchSize + (1 - part) * last.meanBatchSize,
    };
  }
  return mixed;
}

/** Estimate from the table. Takes microseconds. For CPU shares below one core it is a safe bound. */
export function estimateStage(query: StageQuery): StageEstimate {
  const stage = loadStage(query);
  return stage.loadFactor < 1 ? new Estimate(stage, analyticalLaw(stage)) : unstableEstimate(stage);
}

/** Like `estimateStage`, but simulates CPU shares below one core. That takes milliseconds at the first call. */
export function refineStage(query: StageQuery): StageEstimate {
  if (query.curve.shareFraction >= 1) return estimateStage(query);
  const stage = loadStage(query);
  if (!(stage.loadFactor < 1)) return unstableEstimate(stage);
  const { shape, upstream } = stage;
  const bound = new Estimate(stage, analyticalLaw(stage));
  const items = upstream?.sizes.reduce((sum, size, i) => sum + size * (sizeParts[i]?.weight ?? 0), 0) ?? 1;
  const grouped = { ...shape, groupSize: Math.max(shape.groupSize, items) };
  const { law, meanBatchSize } = shareLaw(grouped, stage, bound.law());
  return {
    loadFactor: stage.loadFactor,
    stable: true,
    meanMs: lawMean(law),
    meanBatchSize,
    batchSizes: () => bound.batchSizes(),
    law: () => law,
    quantileMs: (fraction) => lawQuantile(law, fraction),
  };
}
