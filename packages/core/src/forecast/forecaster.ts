import type { Forecast, LoadObservation } from '../model/decision.js';
import { smoothedRate } from './smoothed-rate.js';

/**
 * The larger of the last two 10-s maxima × 1.19. This covers 95 % of the maxima of the next 20 s on the trace of the
 * literature, without training.
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

/** Forecasts the arrival rate `horizonMs` ahead of `atMs`, the end of the load. */
export type Forecaster = (load: LoadObservation, horizonMs: number, atMs: number) => Forecast;

/** The default first. */
export const forecasters = {
  'smoothed-rate': smoothedRate,
  'window-maxima': windowMaxima,
} as const satisfies Readonly<Record<string, Forecaster>>;

export type ForecasterName = keyof typeof forecasters;
