import type { Forecast, LoadObservation } from '../model/decision.js';
import { smoothedRate } from './smoothed-rate.js';

/**
 * Forecast of 1.19 × the maximum count of the last 20 s. On the trace of the literature it covers 95 % of the maxima of
 * the next 20 s, without training.
 */

const WINDOWS_S = 20;
const MARGIN = 1.19;

/** 0 without history. */
export function windowMaxima(load: LoadObservation): Forecast {
  const recent = load.arrivalsPerSecond.slice(-WINDOWS_S);
  const sum = recent.reduce((total, count) => total + count, 0);
  const meanRps = recent.length === 0 ? 0 : sum / recent.length;
  return { method: 'window-maxima', meanRps, upperRps: MARGIN * Math.max(0, ...recent) };
}

/** Forecasts the arrival rate for `horizonMs` after `atMs`, the end of `load`. */
export type Forecaster = (load: LoadObservation, horizonMs: number, atMs: number) => Forecast;

/** The default first. */
export const forecasters = {
  'smoothed-rate': smoothedRate,
  'window-maxima': windowMaxima,
} as const satisfies Readonly<Record<string, Forecaster>>;

export type ForecasterName = keyof typeof forecasters;
