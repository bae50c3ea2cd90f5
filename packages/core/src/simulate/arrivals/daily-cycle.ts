/** Poisson arrivals whose rate swings around its mean as a cosine, from the quietest instant at 0: mean·(1 − swing·cos(2πt ÷ period)). */
import type { Rng } from '../../kernel/rng.js';
import type { ArrivalProcess } from './arrival-process.js';
import { varyingRateArrivals } from './varying-rate.js';

/** `arrivalRps` is the mean over a period, `swingFraction` (0…1) how far the rate goes above and below it. */
export interface DailyCycleLoad {
  readonly arrivalRps: number;
  readonly swingFraction: number;
  readonly periodS: number;
  readonly durationS: number;
}

/** Arrivals of a rate that swings once per period. */
export function dailyCycleArrivals(load: DailyCycleLoad, rng: Rng): ArrivalProcess {
  const { arrivalRps, swingFraction, periodS, durationS } = load;
  const rpsAt = (atS: number) => arrivalRps * (1 - swingFraction * Math.cos((2 * Math.PI * atS) / periodS));
  return varyingRateArrivals({ durationS, highestRps: arrivalRps * (1 + swingFraction), rpsAt }, rng);
}
