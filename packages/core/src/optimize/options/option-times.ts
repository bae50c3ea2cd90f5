/**
 * Sojourn times of an option. On whole cores the estimate answers in microseconds. Below one core the true law takes a simulation of
 * milliseconds, so an option starts with the times that it would have on a whole core. Up to a quarter of its load they stand (measured: at
 * most 11 % too short); above, options that a solve wants to use are simulated. A share is never taken to be faster than a whole core, so the first times are a lower bound.
 */
import { estimateStage, refineStage, type StageQuery } from '../../estimate/stage-sojourn.js';
import { sumOfTailsStageMs } from '../../estimate/sum-of-tails.js';
import type { ServiceCurve } from '../../profile/service-curve.js';
import { type PreparedStage, plannedRps } from './prepared-stage.js';

/** Mean and SLO percentile of the sojourn time in ms; `exact` unless the option would be slower if it were simulated. */
export interface OptionTimes {
  readonly meanMs: number;
  readonly tailMs: number;
  readonly exact: boolean;
}

/** What the times depend on beside the stage. */
export interface OptionSize {
  readonly curve: ServiceCurve;
  readonly maxBatchSize: number;
  readonly replicas: number;
}

function queryOf({ load, burstiness }: PreparedStage, { curve, maxBatchSize, replicas }: OptionSize): StageQuery {
  const arrivalRps = plannedRps(load);
  const groupSize = Math.max(1, load.groupSize);
  const query = { curve, maxBatchSize, replicas, arrivalRps, groupSize };
  return burstiness === undefined ? query : { ...query, burstiness };
}

/** Load factor up to which a CPU-time bucket is hardly ever empty. */
const LIGHT_LOAD = 0.25;

const wholeCores = new WeakMap<ServiceCurve, ServiceCurve>();

/** The same replica with all of its core. */
function onWholeCore(curve: ServiceCurve): ServiceCurve {
  const known = wholeCores.get(curve) ?? { ...curve, shareFraction: 1 };
  wholeCores.set(curve, known);
  return known;
}

/** Times of an option, perhaps too short (then not `exact`). */
export function optionTimes(prepared: PreparedStage, size: OptionSize): OptionTimes {
  if (prepared.estimator === 'sum-of-tails') {
    const ms = sumOfTailsStageMs(size.curve, size.maxBatchSize, plannedRps(prepared.load));
    return { meanMs: ms, tailMs: ms, exact: true };
  }
  const whole = size.curve.shareFraction >= 1;
  const { maxBatchSize, replicas } = size;
  const curve = whole ? size.curve : onWholeCore(size.curve);
  const estimate = estimateStage(queryOf(prepared, { curve, maxBatchSize, replicas }));
  const exact = whole || estimate.loadFactor / size.curve.shareFraction <= LIGHT_LOAD;
  return { meanMs: estimate.meanMs, tailMs: estimate.quantileMs(prepared.percentile / 100), exact };
}

/** Times of an option by simulation, but no shorter than on a whole core. */
export function exactTimes(prepared: PreparedStage, size: OptionSize): OptionTimes {
  const estimate = refineStage(queryOf(prepared, size));
  const least = optionTimes(prepared, size);
  return {
    meanMs: Math.max(least.meanMs, estimate.meanMs),
    tailMs: Math.max(least.tailMs, estimate.quantileMs(prepared.percentile / 100)),
    exact: true,
  };
}
