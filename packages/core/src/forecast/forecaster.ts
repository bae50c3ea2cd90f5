import type { Forecast, LoadObservation } from '../model/decision.js';
import { smoothedRate } from './smoothed-rate.js';

/**
 * The load of the next seconds from the largest counts of the last ones: the larger of the last two 10-s maxima, times 1.19. On the trace
 * that the literature evaluates on, this covers 95 % of the maxima of the next 20 s, as a quantile regression does; it needs no training.
 */

const WINDOWS_S = 20;
const MARGIN = 1.19;

/** Forecasts from the last 20 s of counts; without any history it expects nothing. The mean is theirs. */
export function windowMaxima(load: LoadObservation): Forecast {
  const recent = load.arrivalsPerSecond.slice(-WINDOWS_S);
  const sum = recent.reduce((total, count) => total + count, 0);
  const meanRps = recent.length === 0 ? 0 : sum / recent.length;
  return { method: 'window-maxima', meanRps, upperRps: MARGIN * Math.max(0, ...recent) };
}

/** The shape of every way to foretell the load, and the ways by the name that experiments use. */

/** Foretells the arrival rate `horizonMs` ahead of `atMs`, the instant up to which the load was observed. */
export type Forecaster = (load: LoadObservation, horizonMs: number, atMs: number) => Forecast;

/** Ways to foretell the load, the usual one first. */
export const forecasters = {
  'smoothed-rate': smoothedRate,
  'window-maxima': windowMaxima,
} as const satisfies Readonly<Record<string, Forecaster>>;

/** A name of `forecasters`. */
export type ForecasterName = keyof typeof forecasters;
