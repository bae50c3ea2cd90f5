/** Poisson arrivals: exponential gaps, independent of each other; the index of dispersion of counts is 1 in every window. */
import { exponential, type Rng } from '../../kernel/rng.js';
import type { ArrivalProcess } from './arrival-process.js';

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
