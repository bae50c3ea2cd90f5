import type { Rng } from '../../kernel/rng.js';
import { type ArrivalProcess, poissonArrivals } from './constant-rate.js';

/** `rpsAt` is called with ascending instants and never exceeds `highestRps`. */
export interface RateCurve {
  readonly durationS: number;
  readonly highestRps: number;
  rpsAt(atS: number): number;
}

/** Poisson arrivals by thinning (Lewis and Shedler, 1979). */
function varyingRateArrivals(curve: RateCurve, rng: Rng): ArrivalProcess {
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

export interface RatePoint {
  readonly atS: number;
  readonly arrivalRps: number;
}

/** Poisson arrivals from the first to the last point. Points ascend; two points at one instant are a jump. */
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

export interface RampLoad {
  readonly fromRps: number;
  readonly toRps: number;
  readonly durationS: number;
}

export function rampArrivals({ fromRps, toRps, durationS }: RampLoad, rng: Rng): ArrivalProcess {
  const rpsAt = (atS: number) => fromRps + ((toRps - fromRps) * atS) / durationS;
  return varyingRateArrivals({ durationS, highestRps: Math.max(fromRps, toRps), rpsAt }, rng);
}

export interface StepLoad {
  readonly fromRps: number;
  readonly toRps: number;
  readonly atS: number;
  readonly durationS: number;
}

export function stepArrivals({ fromRps, toRps, atS: stepAtS, durationS }: StepLoad, rng: Rng): ArrivalProcess {
  const rpsAt = (atS: number) => (atS < stepAtS ? fromRps : toRps);
  return varyingRateArrivals({ durationS, highestRps: Math.max(fromRps, toRps), rpsAt }, rng);
}

/** `holdS` > 0. */
export interface SquareWaveLevel {
  readonly arrivalRps: number;
  readonly holdS: number;
}

/** Levels in turn, repeated. There is at least one. */
export interface SquareWaveLoad {
  readonly levels: readonly SquareWaveLevel[];
  readonly durationS: number;
}

export function squareWaveArrivals({ levels, durationS }: SquareWaveLoad, rng: Rng): ArrivalProcess {
  const periodS = levels.reduce((sum, { holdS }) => sum + holdS, 0);
  const highestRps = levels.reduce((highest, { arrivalRps }) => Math.max(highest, arrivalRps), 0);
  const rpsAt = (atS: number) => {
    let leftS = atS % periodS;
    for (const { arrivalRps, holdS } of levels) {
      if (leftS < holdS) return arrivalRps;
      leftS -= holdS;
    }
    return levels[0]?.arrivalRps ?? 0;
  };
  return varyingRateArrivals({ durationS, highestRps, rpsAt }, rng);
}

/** `arrivalRps` is the mean over a period; `swingFraction` the relative amplitude 0…1. */
export interface DailyCycleLoad {
  readonly arrivalRps: number;
  readonly swingFraction: number;
  readonly periodS: number;
  readonly durationS: number;
}

/** Rate mean·(1 − swing·cos(2πt ÷ period)): starts at the minimum. */
export function dailyCycleArrivals(load: DailyCycleLoad, rng: Rng): ArrivalProcess {
  const { arrivalRps, swingFraction, periodS, durationS } = load;
  const rpsAt = (atS: number) => arrivalRps * (1 - swingFraction * Math.cos((2 * Math.PI * atS) / periodS));
  return varyingRateArrivals({ durationS, highestRps: arrivalRps * (1 + swingFraction), rpsAt }, rng);
}
