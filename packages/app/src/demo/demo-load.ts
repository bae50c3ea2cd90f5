/**
 * The load of the demo: it stays low, rises beyond what the most accurate variants can carry, and falls again. Rates are relative
 * to the measured capacity of those variants, so that the story is the same on a slow and on a fast machine.
 */
import type { RatePoint } from '@equipoise/core';

/** Shape by fractions of the duration and of the best plan's capacity. */
const SHAPE: readonly (readonly [timeFraction: number, rateFraction: number])[] = [
  [0, 0.35],
  [0.17, 0.35],
  [0.46, 2.2],
  [0.62, 2.2],
  [0.83, 0.35],
  [1, 0.35],
];

/** The demo's load for a machine on which the most accurate variants carry `bestCapacityRps` within the budget. */
export function demoLoad(bestCapacityRps: number, durationS: number): readonly RatePoint[] {
  return SHAPE.map(([time, rate]) => ({ atS: time * durationS, arrivalRps: rate * bestCapacityRps }));
}

/** The largest rate of a load. */
export const peakRps = (points: readonly RatePoint[]): number =>
  Math.max(...points.map(({ arrivalRps }) => arrivalRps));
