/** The rates that were planned for in the last minute, and what they let expect of windows that reach back beyond the present one. */

/** A rate that was planned for; `forBurst` where the fast loop did so. */
export interface PlannedRate {
  readonly atMs: number;
  readonly arrivalRps: number;
  readonly forBurst?: true;
}

/** Time (ms) for which they are remembered. */
const REMEMBERED_MS = 60_000;
/** Arrivals are known by whole seconds, so the newest that are known came at most so long (ms) before. */
const LATE_MS = 1000;

/** The rates of the last minute, none from later than now. */
export function lately(rates: readonly PlannedRate[] | undefined, nowMs: number): readonly PlannedRate[] {
  return (rates ?? []).filter(({ atMs }) => atMs > nowMs - REMEMBERED_MS && atMs <= nowMs);
}

/** The rates of the last minute with a new one. */
export function withPlanned(before: readonly PlannedRate[] | undefined, planned: PlannedRate): readonly PlannedRate[] {
  return [...lately(before, planned.atMs), planned];
}

/**
 * Mean arrivals of the last `windowS` seconds under the plans that were in force then, at no time less than under the present one: what a
 * window holds from before a load fell is no burst.
 */
export function plannedArrivals(
  rates: readonly PlannedRate[],
  { windowS, nowMs, arrivalRps }: { readonly windowS: number; readonly nowMs: number; readonly arrivalRps: number },
): number {
  const beganMs = nowMs - windowS * 1000;
  let arrivals = windowS * arrivalRps;
  for (const [index, rate] of rates.entries()) {
    const fromMs = index === 0 ? beganMs : Math.max(beganMs, rate.atMs + LATE_MS);
    const untilMs = Math.min(nowMs, (rates[index + 1]?.atMs ?? Number.POSITIVE_INFINITY) + LATE_MS);
    arrivals += (Math.max(0, rate.arrivalRps - arrivalRps) * Math.max(0, untilMs - fromMs)) / 1000;
  }
  return arrivals;
}
