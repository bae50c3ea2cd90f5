/**
 * Sojourn times of an option. Simulating a CPU share below one core takes milliseconds, so its times are first those of
 * a whole core. Up to a load factor of 0.25, this lower bound is at most 11 % too low.
 */
import type { StageConfiguration } from '../../estimate/pipeline-latency.js';
import { estimateStage, refineStage, type StageQuery } from '../../estimate/stage-sojourn.js';
import { sumOfTailsStageMs } from '../../estimate/sum-of-tails.js';
import type { ServiceCurve } from '../../profile/service-curves.js';
import { type PreparedStage, plannedRps } from './prepared-stage.js';

/** Times in ms. `exact` is false if simulation could find longer ones. */
export interface OptionTimes {
  readonly meanMs: number;
  readonly tailMs: number;
  readonly exact: boolean;
}

export function stageQueryOf(
  { load, burstiness }: PreparedStage,
  { curve, maxBatchSize, replicas }: StageConfiguration,
): StageQuery {
  const arrivalRps = plannedRps(load);
  return { curve, maxBatchSize, replicas, arrivalRps, groupSize: Math.max(1, load.groupSize), burstiness };
}

/** Up to this load factor, a CPU-time bucket is hardly ever empty. */
const LIGHT_LOAD = 0.25;

const wholeCores = new WeakMap<ServiceCurve, ServiceCurve>();

function onWholeCore(curve: ServiceCurve): ServiceCurve {
  const known = wholeCores.get(curve) ?? { ...curve, shareFraction: 1 };
  wholeCores.set(curve, known);
  return known;
}

/** Times of an option; lower bounds unless `exact`. */
export function optionTimes(prepared: PreparedStage, size: StageConfiguration): OptionTimes {
  if (prepared.estimator === 'sum-of-tails') {
    const ms = sumOfTailsStageMs(size.curve, size.maxBatchSize, plannedRps(prepared.load));
    return { meanMs: ms, tailMs: ms, exact: true };
  }
  const whole = size.curve.shareFraction >= 1;
  const { maxBatchSize, replicas } = size;
  const curve = whole ? size.curve : onWholeCore(size.curve);
  const estimate = estimateStage(stageQueryOf(prepared, { curve, maxBatchSize, replicas }));
  const isLight = size.curve.quota === undefined && estimate.loadFactor / size.curve.shareFraction <= LIGHT_LOAD;
  const exact = whole || isLight;
  return { meanMs: estimate.meanMs, tailMs: estimate.quantileMs(prepared.percentile / 100), exact };
}

/** Simulated times; never below those of a whole core. */
export function exactTimes(prepared: PreparedStage, size: StageConfiguration): OptionTimes {
  const estimate = refineStage(stageQueryOf(prepared, size));
  const least = optionTimes(prepared, size);
  return {
    meanMs: Math.max(least.meanMs, estimate.meanMs),
    tailMs: Math.max(least.tailMs, estimate.quantileMs(prepared.percentile / 100)),
    exact: true,
  };
}
