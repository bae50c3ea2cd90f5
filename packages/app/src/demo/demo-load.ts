/**
 * Load of the demo: low, then above the capacity of the most accurate variants, then low. Rates are relative to the
 * measured capacity, so all machines behave alike. The rise is slow enough for ticks every ten seconds.
 */
import type { RatePoint } from '@equipoise/core/simulate';

/** Shape in fractions of the duration and of the best plan's capacity. */
const SHAPE: readonly (readonly [timeFraction: number, rateFraction: number])[] = [
  [0, 0.3],
  [0.06, 0.3],
  [0.2, 0.5],
  [0.5, 1.7],
  [0.6, 1.7],
  [0.78, 0.3],
  [1, 0.3],
];

/** Load of the demo. `bestCapacityRps`: capacity of the most accurate variants within the budget. */
export function demoLoad(bestCapacityRps: number, durationS: number): readonly RatePoint[] {
  return SHAPE.map(([time, rate]) => ({ atS: time * durationS, arrivalRps: rate * bestCapacityRps }));
}

export const peakRps = (points: readonly RatePoint[]): number =>
  Math.max(...points.map(({ arrivalRps }) => arrivalRps));
