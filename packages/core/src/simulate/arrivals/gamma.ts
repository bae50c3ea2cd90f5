/**
 * Renewal arrivals with gamma-distributed gaps of shape 1 ÷ cv²: burstier than Poisson above a coefficient of variation of 1, more even
 * below it. In long windows the index of dispersion of counts tends to cv² (Cox, Renewal Theory, 1962). The first gap starts at 0.
 */
import { gammaOfMeanOne, type Rng } from '../../kernel/rng.js';
import type { ArrivalProcess } from './arrival-process.js';

/** A constant mean rate with gaps of coefficient of variation `cv`, above 0. */
export interface GammaLoad {
  readonly arrivalRps: number;
  readonly durationS: number;
  readonly cv: number;
}

/** Arrivals with gamma-distributed gaps. */
export function gammaArrivals({ arrivalRps, durationS, cv }: GammaLoad, rng: Rng): ArrivalProcess {
  const shape = 1 / (cv * cv);
  const durationMs = durationS * 1000;
  let atMs = 0;
  return {
    nextAtMs: () => {
      atMs += arrivalRps > 0 ? (gammaOfMeanOne(shape, rng) * 1000) / arrivalRps : Number.POSITIVE_INFINITY;
      return atMs < durationMs ? atMs : undefined;
    },
  };
}
