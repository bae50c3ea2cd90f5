/** Arrivals at equal distances: what a sensor sends, and the D of the textbook queues. */
import type { ArrivalProcess } from './arrival-process.js';

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
