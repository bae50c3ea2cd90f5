/**
 * Sojourn time (queue, batch wait and service) of one stage under greedy batching: a free replica takes what is queued, up to the cap.
 *
 * The load factor is ρ = λ ÷ C with C the capacity of the service curve; a stage is stable below 1. The law is that of the last item of
 * a request's items that arrive together, so that a fan-out is charged with its slowest part.
 */
import { SeededRng } from '../kernel/rng.js';
import { capacityRps, type ServiceCurve } from '../profile/service-curve.js';
import { type ArrivalProcess, drawArrivals } from './arrivals.js';
import { runStage } from './micro-simulation.js';

/** Index of dispersion of counts (variance ÷ mean) in windows of the SLO and of 10 s; 1 is Poisson. */
export interface Burstiness {
  readonly dispersionAtSlo: number;
  readonly dispersionAt10s: number;
}

/** Poisson arrivals. */
export const poissonBurstiness: Burstiness = { dispersionAtSlo: 1, dispersionAt10s: 1 };

/** A stage under load; `arrivalRps` counts items. */
export interface StageQuery {
  readonly curve: ServiceCurve;
  readonly replicas: number;
  readonly maxBatchSize: number;
  readonly arrivalRps: number;
  /** Mean number of items that arrive together. */
  readonly groupSize: number;
  /** How many of them belong to one request, whose time is that of its last item; all of them when left out. */
  readonly itemsPerRequest?: number;
  readonly burstiness?: Burstiness;
}

/** Estimated law of a stage; an unstable stage has infinite times. */
export interface StageEstimate {
  readonly loadFactor: number;
  readonly stable: boolean;
  readonly meanMs: number;
  /** Mean items in a batch: what the next stage sees arriving together. */
  readonly meanBatchSize: number;
  /** Sojourn time in ms that a `fraction` (0…1) of the requests does not exceed. */
  quantileMs(fraction: number): number;
}

const REQUESTS = 20_000;
const SEED = 20_240_601;
const DEFAULT_BURST_MS = 50;

const cache = new WeakMap<ServiceCurve, Map<string, StageEstimate>>();

function arrivalsOf(burstiness: Burstiness): ArrivalProcess {
  const dispersion = Math.max(1, burstiness.dispersionAtSlo);
  return dispersion === 1 ? { kind: 'poisson' } : { kind: 'gamma', cv: Math.sqrt(dispersion) };
}

function unstable(loadFactor: number, maxBatchSize: number): StageEstimate {
  const never = Number.POSITIVE_INFINITY;
  return { loadFactor, stable: false, meanMs: never, meanBatchSize: maxBatchSize, quantileMs: () => never };
}

function simulated(query: StageQuery, loadFactor: number): StageEstimate {
  const rng = new SeededRng(SEED);
  const { arrivalRps, groupSize, itemsPerRequest = groupSize, burstiness = poissonBurstiness } = query;
  const process = arrivalsOf(burstiness);
  const arriving = drawArrivals({ process, arrivalRps, groupSize, itemsPerRequest }, REQUESTS, rng.fork('arrivals'));
  const run = { ...query, ...arriving, burstMs: DEFAULT_BURST_MS, warmUp: REQUESTS / 10 };
  const { requests, meanBatchSize } = runStage(run, rng.fork('service'));
  return {
    loadFactor,
    stable: true,
    meanMs: requests.meanMs,
    meanBatchSize,
    quantileMs: (fraction) => requests.quantileMs(fraction),
  };
}

function cacheKey(query: StageQuery): string {
  const { dispersionAtSlo, dispersionAt10s } = query.burstiness ?? poissonBurstiness;
  const numbers = [query.replicas, query.maxBatchSize, query.arrivalRps, query.groupSize, query.itemsPerRequest];
  return [...numbers, dispersionAtSlo, dispersionAt10s].join('|');
}

/** Estimates the sojourn law of a stage; deterministic, results are remembered per service curve. */
export function estimateStage(query: StageQuery): StageEstimate {
  const loadFactor = query.arrivalRps / capacityRps(query.curve, query.replicas, query.maxBatchSize);
  if (!(loadFactor < 1)) return unstable(loadFactor, query.maxBatchSize);
  const known = cache.get(query.curve) ?? new Map<string, StageEstimate>();
  cache.set(query.curve, known);
  const key = cacheKey(query);
  const estimate = known.get(key) ?? simulated(query, loadFactor);
  known.set(key, estimate);
  return estimate;
}

/**
 * The estimate for an option that is kept. Below one core `estimateStage` may answer with a safe bound; this one simulates the CPU-time
 * bucket, which takes milliseconds.
 */
export function refineStage(query: StageQuery): StageEstimate {
  return estimateStage(query);
}
