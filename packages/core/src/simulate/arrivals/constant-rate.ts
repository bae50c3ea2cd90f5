import { exponential, gammaOfMeanOne, type Rng } from '../../kernel/rng.js';

/** What every generator gives: the instants of a load, one after another, so that a day of load needs no list of requests. */

/** Instants in ms from 0, ascending; undefined when the load has ended. */
export interface ArrivalProcess {
  nextAtMs(): number | undefined;
}

/** Arrivals at equal distances: what a sensor sends, and the D of the textbook queues. */

/** Arrivals at equal distances at a constant rate, the first at 0, until `durationMs`. */
export function deterministicArrivals(arrivalRps: number, durationMs: number): ArrivalProcess {
  let count = 0;
  return {
    nextAtMs: () => {
      const atMs = arrivalRps > 0 ? (count++ * 1000) / arrivalRps : Number.POSITIVE_INFINITY;
      return atMs < durationMs ? atMs : undefined;
    },
  };
}

/** Poisson arrivals: exponential gaps, independent of each other; the index of dispersion of counts is 1 in every window. */

/** Poisson arrivals at a constant rate until `durationMs`. */
export function poissonArrivals(arrivalRps: number, durationMs: number, rng: Rng): ArrivalProcess {
  let atMs = 0;
  return {
    nextAtMs: () => {
      atMs += arrivalRps > 0 ? (exponential(rng) * 1000) / arrivalRps : Number.POSITIVE_INFINITY;
      return atMs < durationMs ? atMs : undefined;
    },
  };
}

/**
 * Renewal arrivals with gamma-distributed gaps of shape 1 ÷ cv²: burstier than Poisson above a coefficient of variation of 1, more even
 * below it. In long windows the index of dispersion of counts tends to cv² (Cox, Renewal Theory, 1962). The first gap starts at 0.
 */

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
