/** Poisson arrivals whose rate is given at points of time; between two points it changes linearly, two points at one instant are a jump. */
import type { Rng } from '../../kernel/rng.js';
import type { ArrivalProcess } from './arrival-process.js';
import { varyingRateArrivals } from './varying-rate.js';

/** A rate at an instant. */
export interface RatePoint {
  readonly atS: number;
  readonly arrivalRps: number;
}

/** Poisson arrivals whose rate follows the points (ascending in time), from the first to the last. */
export function piecewiseLinearArrivals(points: readonly RatePoint[], rng: Rng): ArrivalProcess {
  let after = 0;
  const rpsAt = (atS: number) => {
    while (after < points.length && (points[after]?.atS ?? 0) <= atS) after += 1;
    const from = points[after - 1];
    const to = points[after];
    if (from === undefined || to === undefined) return 0;
    return from.arrivalRps + ((to.arrivalRps - from.arrivalRps) * (atS - from.atS)) / (to.atS - from.atS);
  };
  const highestRps = points.reduce((highest, { arrivalRps }) => Math.max(highest, arrivalRps), 0);
  return varyingRateArrivals({ durationS: points.at(-1)?.atS ?? 0, highestRps, rpsAt }, rng);
}
