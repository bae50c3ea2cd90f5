/**
 * Sojourn law of a stage whose replicas have a CPU share below one core, by seeded micro-simulation with the CPU-time bucket: neither the
 * share nor the burst (50 ms, in real time) fits a scale-free table.
 *
 * Results are remembered by service curve, replicas, cap, company and a bucket of the load about 5 % wide in ρ ÷ (1 − ρ), simulated at its
 * upper end: near saturation a bucket of 5 % of the rate would double the waits.
 */
import { SeededRng } from '../kernel/rng.js';
import type { ServiceCurve } from '../profile/service-curve.js';
import { type ArrivalProcess, drawArrivals } from './arrivals.js';
import type { FeltBurstiness } from './burstiness.js';
import { runStage } from './micro-simulation.js';
import { lawFractions } from './sojourn-law.js';
import type { StageShape, TableLaw } from './table-law.js';

/** Load of the stage: `loadFactor` below 1, `capacityPerMs` in items. */
export interface SharedLoad {
  readonly loadFactor: number;
  readonly capacityPerMs: number;
  readonly felt: FeltBurstiness;
}

const SEED = 20_240_601;
const BURST_MS = 50;
const LOGIT_STEP = 0.05;
const FEWEST_REQUESTS = 20_000;
const MOST_REQUESTS = 100_000;

const remembered = new WeakMap<ServiceCurve, Map<string, TableLaw>>();

/** Upper end of the bucket that the load factor lies in. */
function bucketEnd(loadFactor: number): number {
  const logit = Math.log(loadFactor / (1 - loadFactor));
  return 1 / (1 + Math.exp(-Math.ceil(logit / LOGIT_STEP - 1e-9) * LOGIT_STEP));
}

function processOf(felt: FeltBurstiness): ArrivalProcess {
  if (felt.switching !== undefined) return { kind: 'mmpp', ...felt.switching };
  return felt.dispersion > 1 ? { kind: 'gamma', cv: Math.sqrt(felt.dispersion) } : { kind: 'poisson' };
}

function simulated(shape: StageShape, load: SharedLoad, loadFactor: number): TableLaw {
  const rng = new SeededRng(SEED);
  const wanted = FEWEST_REQUESTS / (2 * (1 - loadFactor));
  const requests = Math.round(Math.max(FEWEST_REQUESTS, Math.min(MOST_REQUESTS, wanted)));
  const arriving = drawArrivals(
    { ...shape, process: processOf(load.felt), arrivalRps: 1000 * loadFactor * load.capacityPerMs },
    requests,
    rng.fork('arrivals'),
  );
  const run = { ...shape, ...arriving, burstMs: BURST_MS, warmUp: Math.floor(requests / 10) };
  const record = runStage(run, rng.fork('service'));
  const law = Float64Array.from(lawFractions, (fraction) => record.requests.quantileMs(fraction));
  return { law, meanBatchSize: record.meanBatchSize };
}

/** The simulated law of a stage with a share below one core. */
export function shareLaw(shape: StageShape, load: SharedLoad): TableLaw {
  const known = remembered.get(shape.curve) ?? new Map<string, TableLaw>();
  remembered.set(shape.curve, known);
  const loadFactor = bucketEnd(load.loadFactor);
  const { dispersion, switching } = load.felt;
  const switchingKey = switching === undefined ? '' : Object.values(switching).join(',');
  const numbers = [shape.replicas, shape.maxBatchSize, shape.groupSize, shape.itemsPerRequest, dispersion, loadFactor];
  const key = `${numbers.join(' ')} ${switchingKey}`;
  const law = known.get(key) ?? simulated(shape, load, loadFactor);
  known.set(key, law);
  return law;
}
