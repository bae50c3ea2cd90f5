/**
 * Expected traffic envelope. Per window: the maximum count in the last minute or longer (a burst may recur), at least
 * the forecast's upper rate.
 */
import type { Forecast, LoadObservation } from '../model/decision.js';
import type { ArrivalEnvelope } from '../model/expected-load.js';

const WINDOWS_S = [1, 2, 5, 10, 20];
const REMEMBERED_S = 60;
/**
 * Remembered time, as a multiple of the planning horizon. So replicas for a burst stay longer than one round of starts.
 */
const REMEMBERED_AHEAD = 2;

/** Counts are whole requests. */
export function arrivalEnvelope(
  { arrivalsPerSecond }: LoadObservation,
  { upperRps }: Forecast,
  aheadMs: number,
): ArrivalEnvelope {
  const rememberedS = Math.max(REMEMBERED_S, Math.ceil((REMEMBERED_AHEAD * aheadMs) / 1000));
  const recent = arrivalsPerSecond.slice(-rememberedS);
  return WINDOWS_S.map((windowS) => ({
    windowS,
    arrivals: Math.max(Math.ceil(upperRps * windowS), mostIn(recent, windowS)),
  }));
}

function mostIn(counts: readonly number[], windowS: number): number {
  let inWindow = 0;
  let most = 0;
  for (const [second, count] of counts.entries()) {
    inWindow += count - (counts[second - windowS] ?? 0);
    most = Math.max(most, inWindow);
  }
  return most;
}
