/**
 * Arrival processes: each gives the instants of a load, one after another, so that a day of load needs no list of requests.
 */
import type { Rng } from '../kernel/rng.js';

/** Instants in ms from 0, ascending; undefined when the load has ended. */
export interface ArrivalProcess {
  nextAtMs(): number | undefined;
}

/** Poisson arrivals at a constant rate until `durationMs`. */
export function poissonArrivals(arrivalRps: number, durationMs: number, rng: Rng): ArrivalProcess {
  let atMs = 0;
  return {
    nextAtMs: () => {
      atMs += arrivalRps > 0 ? (-Math.log(1 - rng.next()) * 1000) / arrivalRps : Number.POSITIVE_INFINITY;
      return atMs < durationMs ? atMs : undefined;
    },
  };
}

/** Replays counts per second; inside a second the arrivals are spread uniformly at random (a Poisson process given its count). */
export function traceArrivals(arrivalsPerSecond: readonly number[], rng: Rng): ArrivalProcess {
  let second = -1;
  let instants: number[] = [];
  let next = 0;
  return {
    nextAtMs: () => {
      while (next >= instants.length) {
        second += 1;
        if (second >= arrivalsPerSecond.length) return undefined;
        const count = arrivalsPerSecond[second] ?? 0;
        instants = Array.from({ length: count }, () => (second + rng.next()) * 1000).sort((a, b) => a - b);
        next = 0;
      }
      return instants[next++];
    },
  };
}
