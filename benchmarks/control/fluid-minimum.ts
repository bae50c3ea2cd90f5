/**
 * The least that has to be lost when the rate jumps: ∫ (λ − C)⁺ dt, where C is the capacity planned for the rate before the rise until a
 * controller that decides within a second has started replicas, and from then on the largest that the budget, its surge and the accuracy
 * floor allow. It is not the capacity that a controller chose.
 */

/** What bounds a controller. */
export interface FluidBounds {
  /** Capacity (rps) of the plan for a rate. */
  capacityFor(rps: number): number;
  readonly largestRps: number;
  readonly loadMs: number;
}

const DECISION_S = 1;

/** Requests lost at least, from `fromS` on; a rise is a second whose rate is above that before. */
export function fluidMinimum(ratesRps: readonly number[], fromS: number, bounds: FluidBounds): number {
  const delayS = DECISION_S + bounds.loadMs / 1000;
  let lost = 0;
  let riseAtS = Number.NEGATIVE_INFINITY;
  let before = 0;
  for (const [second, rps] of ratesRps.entries()) {
    const previous = ratesRps[second - 1] ?? rps;
    if (rps > previous) [riseAtS, before] = [second, bounds.capacityFor(previous)];
    // The part of this second that lies before the new replicas.
    const waiting = Math.min(1, Math.max(0, riseAtS + delayS - second));
    if (second < fromS) continue;
    lost += waiting * Math.max(0, rps - before) + (1 - waiting) * Math.max(0, rps - bounds.largestRps);
  }
  return lost;
}
