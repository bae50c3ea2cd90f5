/** Poisson arrivals whose rate jumps between levels in a fixed rhythm: the hardest regular load for a controller that scales down. */
import type { Rng } from '../../kernel/rng.js';
import type { ArrivalProcess } from './arrival-process.js';
import { varyingRateArrivals } from './varying-rate.js';

/** A rate held for `holdS`, above 0. */
export interface SquareWaveLevel {
  readonly arrivalRps: number;
  readonly holdS: number;
}

/** Levels in turn, again and again from the first; at least one. */
export interface SquareWaveLoad {
  readonly levels: readonly SquareWaveLevel[];
  readonly durationS: number;
}

/** Arrivals of a rate that jumps from level to level. */
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
