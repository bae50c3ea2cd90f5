/**
 * The load of the demo: it stays low, rises beyond what the most accurate variants can carry, and falls again. Rates are relative
 * to the measured capacity of those variants, so that the story is the same on a slow and on a fast machine. The rise is gentle
 * enough for a loop that decides every ten seconds, and the low end is long enough for it to go back to better variants: it believes in a
 * lower load only once that has lasted.
 */
import type { RatePoint } from '@equipoise/core/simulate';

/** Shape by fractions of the duration and of the best plan's capacity. */
const SHAPE: readonly (readonly [timeFraction: number, rateFraction: number])[] = [
  [0, 0.3],
  [0.06, 0.3],
  [0.2, 0.5],
  [0.5, 1.7],
  [0.6, 1.7],
  [0.78, 0.3],
  [1, 0.3],
];

/** The demo's load for a machine on which the most accurate variants carry `bestCapacityRps` within the budget. */
export function demoLoad(bestCapacityRps: number, durationS: number): readonly RatePoint[] {
  return SHAPE.map(([time, rate]) => ({ atS: time * durationS, arrivalRps: rate * bestCapacityRps }));
}

/** The largest rate of a load. */
export const peakRps = (points: readonly RatePoint[]): number =>
  Math.max(...points.map(({ arrivalRps }) => arrivalRps));
