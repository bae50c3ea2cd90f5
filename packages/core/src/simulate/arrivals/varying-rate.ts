/**
 * Poisson arrivals whose rate follows a curve, by thinning (Lewis and Shedler, 1979): candidates at the highest rate, each kept with
 * probability rate ÷ highest rate. Every generator of a changing rate is a curve over this one.
 */
import type { Rng } from '../../kernel/rng.js';
import type { ArrivalProcess } from './arrival-process.js';
import { poissonArrivals } from './poisson.js';

/** A rate over time; `rpsAt` is asked for ascending instants, once per curve, and never exceeds `highestRps`. */
export interface RateCurve {
  readonly durationS: number;
  readonly highestRps: number;
  rpsAt(atS: number): number;
}

/** Poisson arrivals at the rate of `curve`. */
export function varyingRateArrivals(curve: RateCurve, rng: Rng): ArrivalProcess {
  const candidates = poissonArrivals(curve.highestRps, curve.durationS * 1000, rng);
  return {
    nextAtMs: () => {
      for (;;) {
        const atMs = candidates.nextAtMs();
        if (atMs === undefined || rng.next() * curve.highestRps < curve.rpsAt(atMs / 1000)) return atMs;
      }
    },
  };
}
