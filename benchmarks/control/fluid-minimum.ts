/**
 * Minimum loss when the rate jumps: ∫ (λ − C)⁺ dt. A controller decides within a second and then starts replicas. Until
 * they have started, C is the capacity planned for the rate before the rise. From then on, C is the largest capacity
 * that the budget, its surge and the accuracy floor allow. C does not depend on the choices of a controller.
 */

/** Bounds of a controller. */
export interface FluidBounds {
  /** Capacity (rps) of the plan for a rate. */
  capacityFor(rps: number): number;
  readonly largestRps: number;
  readonly loadMs: number;
}

const DECISION_S = 1;

/**
 * Minimum number of lost requests from `fromS` on. A rise is a second whose rate exceeds that of the previous second.
 */
export function fluidMinimum(ratesRps: readonly number[], fromS: number, bounds: FluidBounds): number {
  const delayS = DECISION_S + bounds.loadMs / 1000;
  let lost = 0;
  let riseAtS = Number.NEGATIVE_INFINITY;
  let before = 0;
  for (const [second, rps] of ratesRps.entries()) {
    const previous = ratesRps[second - 1] ?? rps;
    if (rps > previous) [riseAtS, before] = [second, bounds.capacityFor(previous)];
    // Part of this second before the new replicas are ready.
    const waiting = Math.min(1, Math.max(0, riseAtS + delayS - second));
    if (second < fromS) continue;
    lost += waiting * Math.max(0, rps - before) + (1 - waiting) * Math.max(0, rps - bounds.largestRps);
  }
  return lost;
}
