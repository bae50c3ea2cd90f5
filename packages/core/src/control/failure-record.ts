/**
 * How much fails anyway: a share of the requests may fail by what no plan causes, such as a service that a stage asks. Counts of the last half
 * minute say how large it was before a change.
 */
import type { Observation } from '../model/decision.js';

/** Requests that had failed by what the plan may have caused by an instant. Plain data. */
export interface FailureCount {
  readonly atMs: number;
  readonly failedTotal: number;
}

/** As long as a change is on trial. */
const WINDOW_MS = 30_000;
/** Between two counts. */
const COUNT_EVERY_MS = 5_000;
/** Requests below which a fraction says nothing. */
export const FEWEST_ARRIVALS = 50;

/** The counts with that of an observation, oldest first; those that a clock that was set back has put into the future are forgotten. */
export function withFailures(
  counts: readonly FailureCount[] = [],
  { atMs, failedTotal }: Observation,
): readonly FailureCount[] | undefined {
  if (failedTotal === undefined) return undefined;
  const lately = counts.filter((count) => count.atMs <= atMs && atMs - count.atMs <= WINDOW_MS);
  const last = lately.at(-1);
  if (last === undefined || atMs - last.atMs >= COUNT_EVERY_MS) return [...lately, { atMs, failedTotal }];
  return lately.length === counts.length ? counts : lately;
}

/** Fraction of the requests that failed since the oldest count; 0 where too few have arrived since to tell. */
export function failedFraction(
  [oldest]: readonly FailureCount[] = [],
  { atMs, failedTotal = 0, load }: Observation,
): number {
  if (oldest === undefined) return 0;
  const arrived = arrivedIn(load, Math.floor((atMs - oldest.atMs) / 1000));
  return arrived < FEWEST_ARRIVALS ? 0 : Math.min(1, Math.max(0, failedTotal - oldest.failedTotal) / arrived);
}

/** Requests that arrived in the last whole seconds. */
export function arrivedIn({ arrivalsPerSecond }: Observation['load'], seconds: number): number {
  return arrivalsPerSecond.slice(Math.max(0, arrivalsPerSecond.length - seconds)).reduce((a, b) => a + b, 0);
}
