/**
 * The load a few seconds ahead from the counts of the last seconds: exponentially smoothed level and slope (Holt 1957), the slope
 * followed upward only. The upper rate adds the spread that a Poisson process of that rate shows in the mean over the smoothing
 * window, and is the largest of the last seconds: a rising load is believed early, a falling one late.
 */
import type { Forecast, LoadObservation } from '../model/decision.js';

/** Smoothing of the level: about the last 5 seconds count. */
const LEVEL_WEIGHT = 0.3;
/** Smoothing of the slope: about the last 10 seconds count. */
const SLOPE_WEIGHT = 0.15;
/** Seconds of arrivals that the smoothed level effectively averages: (2 − w) / w. */
const LEVEL_WINDOW_S = (2 - LEVEL_WEIGHT) / LEVEL_WEIGHT;
/** Normal quantile of 95 %. */
const UPPER_Z = 1.645;
/** How far ahead a plan must hold: until the next one is in force. */
const DEFAULT_HORIZON_MS = 12_000;

/** A quiet moment of Poisson noise must not shrink a plan in the middle of a rise: the upper rate falls this much later. */
const FALL_DELAY_S = 10;

/** Forecasts the arrival rate `horizonMs` ahead; without any history it expects nothing. */
export function smoothedRate(load: LoadObservation, horizonMs: number = DEFAULT_HORIZON_MS): Forecast {
  const [first = 0, ...rest] = load.arrivalsPerSecond;
  let level = first;
  let slope = 0;
  let meanRps = first;
  const uppers = [upperOf(first)];
  for (const count of rest) {
    const before = level;
    level = LEVEL_WEIGHT * count + (1 - LEVEL_WEIGHT) * (level + slope);
    slope = SLOPE_WEIGHT * (level - before) + (1 - SLOPE_WEIGHT) * slope;
    meanRps = Math.max(0, level + Math.max(0, slope) * (horizonMs / 1000));
    uppers.push(upperOf(meanRps));
  }
  return { method: 'smoothed-rate', meanRps, upperRps: Math.max(...uppers.slice(-FALL_DELAY_S)) };
}

function upperOf(meanRps: number): number {
  return meanRps + UPPER_Z * Math.sqrt(meanRps / LEVEL_WINDOW_S);
}
