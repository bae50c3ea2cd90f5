/** The shape of every way to foretell the load, and the ways by the name that experiments use. */
import type { Forecast, LoadObservation } from '../model/decision.js';
import { smoothedRate } from './smoothed-rate.js';
import { windowMaxima } from './window-maxima.js';

/** Foretells the arrival rate `horizonMs` ahead of `atMs`, the instant up to which the load was observed. */
export type Forecaster = (load: LoadObservation, horizonMs: number, atMs: number) => Forecast;

/** Ways to foretell the load, the usual one first. */
export const forecasters = {
  'smoothed-rate': smoothedRate,
  'window-maxima': windowMaxima,
} as const satisfies Readonly<Record<string, Forecaster>>;

/** A name of `forecasters`. */
export type ForecasterName = keyof typeof forecasters;
