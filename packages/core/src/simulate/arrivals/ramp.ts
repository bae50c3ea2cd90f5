/** Poisson arrivals whose rate rises or falls linearly over the whole load: it finds the rate at which a system gives way. */
import type { Rng } from '../../kernel/rng.js';
import type { ArrivalProcess } from './arrival-process.js';
import { varyingRateArrivals } from './varying-rate.js';

/** `fromRps` at 0, `toRps` at the end. */
export interface RampLoad {
  readonly fromRps: number;
  readonly toRps: number;
  readonly durationS: number;
}

/** Arrivals of a rate that changes linearly. */
export function rampArrivals({ fromRps, toRps, durationS }: RampLoad, rng: Rng): ArrivalProcess {
  const rpsAt = (atS: number) => fromRps + ((toRps - fromRps) * atS) / durationS;
  return varyingRateArrivals({ durationS, highestRps: Math.max(fromRps, toRps), rpsAt }, rng);
}
