/**
 * Arrival processes: each gives the instants of a load, one after another, so that a day of load needs no list of requests.
 * The simulator and the load generator take the same ones.
 */
import type { Rng } from '../kernel/rng.js';

/** Instants in ms from 0, ascending; undefined when the load has ended. */
export interface ArrivalProcess {
  nextAtMs(): number | undefined;
}

/** A rate at an instant; between two points it changes linearly. */
export interface RatePoint {
  readonly atS: number;
  readonly arrivalRps: number;
}

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

/** Arrivals at equal distances, the first at 0. */
export function deterministicArrivals(arrivalRps: number, durationMs: number): ArrivalProcess {
  let count = 0;
  return {
    nextAtMs: () => {
      const atMs = arrivalRps > 0 ? (count++ * 1000) / arrivalRps : Number.POSITIVE_INFINITY;
      return atMs < durationMs ? atMs : undefined;
    },
  };
}

/** Poisson arrivals whose rate follows the points (ascending in time), from the first to the last; thinned from the highest rate. */
export function piecewiseLinearArrivals(points: readonly RatePoint[], rng: Rng): ArrivalProcess {
  const highestRps = Math.max(0, ...points.map(({ arrivalRps }) => arrivalRps));
  const endMs = (points.at(-1)?.atS ?? 0) * 1000;
  const candidates = poissonArrivals(highestRps, endMs, rng);
  return {
    nextAtMs: () => {
      for (;;) {
        const atMs = candidates.nextAtMs();
        if (atMs === undefined || rng.next() * highestRps < rateAt(points, atMs / 1000)) return atMs;
      }
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

function exponential(rng: Rng): number {
  return -Math.log(1 - rng.next());
}

function rateAt(points: readonly RatePoint[], atS: number): number {
  const after = points.findIndex((point) => point.atS > atS);
  const to = points[after];
  const from = points[after - 1];
  if (from === undefined || to === undefined) return 0;
  return from.arrivalRps + ((to.arrivalRps - from.arrivalRps) * (atS - from.atS)) / (to.atS - from.atS);
}
