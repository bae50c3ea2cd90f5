/**
 * Network inputs: log of each lag relative to the level of the lags, and the log level. Adding half a request keeps
 * logs finite.
 */

export const HALF_REQUEST_RPS = 0.5;

/** Spread of log levels in training, which scales the last input to order 1. */
export interface LevelSpread {
  readonly meanLogLevel: number;
  readonly stdLogLevel: number;
}

const LEVEL_WEIGHT = 0.4;
/** Scales log ratios, which are mostly within 0.1, to order 1. */
const RATIO_GAIN = 3;
const LEAST_INPUT = -3;

/** Exponential mean of the lags, plus half a request. */
export function levelOf(maximaRps: Float64Array, at: number, lags: number): number {
  let level = maximaRps[at] as number;
  for (let k = 1; k < lags; k++) level += LEVEL_WEIGHT * ((maximaRps[at + k] as number) - level);
  return level + HALF_REQUEST_RPS;
}

/** Writes the inputs for the lags from `at` on. Returns the level. */
export function writeInputs(
  inputs: Float64Array,
  { maximaRps, at }: { readonly maximaRps: Float64Array; readonly at: number },
  { meanLogLevel, stdLogLevel }: LevelSpread,
): number {
  const lags = inputs.length - 1;
  const level = levelOf(maximaRps, at, lags);
  for (let k = 0; k < lags; k++) {
    const ratio = ((maximaRps[at + k] as number) + HALF_REQUEST_RPS) / level;
    inputs[k] = Math.max(LEAST_INPUT, RATIO_GAIN * Math.log(ratio));
  }
  inputs[lags] = (Math.log(level) - meanLogLevel) / stdLogLevel;
  return level;
}

/** Mean (0 without windows) and standard deviation (1 without spread) of the log level. */
export function levelSpread(maximaRps: Float64Array, lags: number): LevelSpread {
  const windows = Math.max(0, maximaRps.length - lags + 1);
  let sum = 0;
  let squares = 0;
  for (let at = 0; at < windows; at++) {
    const logLevel = Math.log(levelOf(maximaRps, at, lags));
    sum += logLevel;
    squares += logLevel * logLevel;
  }
  if (windows === 0) return { meanLogLevel: 0, stdLogLevel: 1 };
  const meanLogLevel = sum / windows;
  const variance = squares / windows - meanLogLevel * meanLogLevel;
  return { meanLogLevel, stdLogLevel: variance > 1e-6 ? Math.sqrt(variance) : 1 };
}
