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
  /** Time (ms) that a request can wait and still be answered in time; default 0, as in the definition above. */
  readonly waitMs?: number;
}

const DECISION_MS = 1000;

/**
 * Minimum number of lost requests from `fromS` on. A rise is a second whose rate exceeds that of the previous second.
 * If requests can wait, only those are lost that C does not serve within `waitMs`.
 */
export function fluidMinimum(ratesRps: readonly number[], fromS: number, bounds: FluidBounds): number {
  const { waitMs = 0 } = bounds;
  const served = servedBy(ratesRps, bounds);
  let [lost, waiting] = [0, 0];
  for (const [second, rps] of ratesRps.entries()) {
    for (let atMs = 1000 * second; atMs < 1000 * (second + 1); atMs++) {
      const at = (ms: number): number => served[Math.min(ms, served.length - 1)] as number;
      const inTime = at(atMs + 1 + Math.round(waitMs)) - at(atMs + 1);
      waiting = Math.max(0, waiting + rps / 1000 - (at(atMs + 1) - at(atMs)));
      if (second >= fromS) lost += Math.max(0, waiting - inTime);
      waiting = Math.min(waiting, inTime);
    }
  }
  return lost;
}

/** Number of requests that C serves until each millisecond. */
function servedBy(ratesRps: readonly number[], { capacityFor, largestRps, loadMs }: FluidBounds): Float64Array {
  const served = new Float64Array(1000 * ratesRps.length + 1);
  let [largestFromMs, before] = [0, 0];
  for (const [second, rps] of ratesRps.entries()) {
    const previous = ratesRps[second - 1] ?? rps;
    if (rps > previous) [largestFromMs, before] = [1000 * second + DECISION_MS + loadMs, capacityFor(previous)];
    for (let atMs = 1000 * second; atMs < 1000 * (second + 1); atMs++)
      served[atMs + 1] = (served[atMs] as number) + (atMs < largestFromMs ? before : largestRps) / 1000;
  }
  return served;
}
