/** Poisson arrivals whose rate jumps once: how fast a controller follows shows best against a step. */
import type { Rng } from '../../kernel/rng.js';
import type { ArrivalProcess } from './arrival-process.js';
import { varyingRateArrivals } from './varying-rate.js';

/** `fromRps` before `atS`, `toRps` from then on. */
export interface StepLoad {
  readonly fromRps: number;
  readonly toRps: number;
  readonly atS: number;
  readonly durationS: number;
}

/** Arrivals of a rate that jumps once. */
export function stepArrivals({ fromRps, toRps, atS: stepAtS, durationS }: StepLoad, rng: Rng): ArrivalProcess {
  const rpsAt = (atS: number) => (atS < stepAtS ? fromRps : toRps);
  return varyingRateArrivals({ durationS, highestRps: Math.max(fromRps, toRps), rpsAt }, rng);
}
