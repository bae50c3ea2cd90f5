/**
 * Sojourn law of a stage with CPU shares below one core, by seeded micro-simulation. Laws are cached by load buckets of
 * about 5 % of ρ ÷ (1 − ρ), simulated at the bucket's upper end. (Buckets of 5 % of the rate would double waits near
 * saturation.)
 */
import { SeededRng } from '../kernel/rng.js';
import type { ServiceCurve } from '../profile/service-curves.js';
import { type ArrivalProcess, drawArrivals } from './arrivals.js';
import type { EffectiveBurstiness } from './burstiness.js';
import { runStage } from './micro-simulation.js';
import { lawFractions, type SojournLaw } from './sojourn-law.js';
import type { StageShape, TableLaw } from './table-law.js';

/** `loadFactor` is below 1; `capacityPerMs` counts items. */
export interface SharedLoad {
  readonly loadFactor: number;
  readonly capacityPerMs: number;
  readonly burstiness: EffectiveBurstiness;
}

const SEED = 20_240_601;
const BURST_MS = 50;
const LOGIT_STEP = 0.05;
const FEWEST_REQUESTS = 20_000;
const MOST_REQUESTS = 200_000;
/** Simulated time, as a multiple of the time to refill a CPU burst. */
const BUCKET_FILLINGS = 100;

const remembered = new WeakMap<ServiceCurve, Map<string, TableLaw>>();

function bucketEnd(loadFactor: number): number {
  const logit = Math.log(loadFactor / (1 - loadFactor));
  return 1 / (1 + Math.exp(-Math.ceil(logit / LOGIT_STEP - 1e-9) * LOGIT_STEP));
}

function processOf(felt: EffectiveBurstiness): ArrivalProcess {
  if (felt.switching !== undefined) return { kind: 'mmpp', ...felt.switching };
  return felt.dispersion > 1 ? { kind: 'gamma', cv: Math.sqrt(felt.dispersion) } : { kind: 'poisson' };
}

function requestsFor(shape: StageShape, loadFactor: number, requestsPerMs: number): number {
  const forQueue = FEWEST_REQUESTS / (2 * (1 - loadFactor));
  const forBucket = (BUCKET_FILLINGS * BURST_MS * requestsPerMs) / shape.curve.shareFraction;
  return Math.round(Math.max(FEWEST_REQUESTS, Math.min(MOST_REQUESTS, Math.max(forQueue, forBucket))));
}

function simulateLaw(shape: StageShape, load: SharedLoad, loadFactor: number): TableLaw {
  const rng = new SeededRng(SEED);
  const itemsPerMs = loadFactor * load.capacityPerMs;
  const requests = requestsFor(shape, loadFactor, itemsPerMs / shape.itemsPerRequest);
  const arriving = drawArrivals(
    { ...shape, process: processOf(load.burstiness), arrivalRps: 1000 * itemsPerMs },
    requests,
    rng.fork('arrivals'),
  );
  const run = { ...shape, ...arriving, burstMs: BURST_MS, warmUp: Math.floor(requests / 10) };
  const record = runStage(run, rng.fork('service'));
  const law = Float64Array.from(lawFractions, (fraction) => record.requests.quantileMs(fraction));
  return { law, meanBatchSize: record.meanBatchSize };
}

/** Simulated law, capped at the safe `bound`. */
export function shareLaw(shape: StageShape, load: SharedLoad, bound: SojournLaw): TableLaw {
  const known = remembered.get(shape.curve) ?? new Map<string, TableLaw>();
  remembered.set(shape.curve, known);
  const loadFactor = bucketEnd(load.loadFactor);
  const { dispersion, switching } = load.burstiness;
  const switchingKey = switching === undefined ? '' : Object.values(switching).join(',');
  const numbers = [shape.replicas, shape.maxBatchSize, shape.groupSize, shape.itemsPerRequest, dispersion, loadFactor];
  const key = `${numbers.join(' ')} ${switchingKey}`;
  const drawn = known.get(key) ?? simulateLaw(shape, load, loadFactor);
  known.set(key, drawn);
  return { ...drawn, law: drawn.law.map((ms, i) => Math.min(ms, bound[i] as number)) };
}
