/** Figures by which published loads are described. */
import {
  centralMoment,
  dispersionOf,
  meanOf,
  quantileOfSorted,
} from '../../packages/core/src/kernel/count-statistics.js';

/** Dispersion: variance ÷ mean of counts in windows of this length. */
export interface LoadStatistics {
  readonly seconds: number;
  readonly requests: number;
  readonly meanRps: number;
  readonly minRps: number;
  readonly medianRps: number;
  readonly p95Rps: number;
  readonly p99Rps: number;
  readonly maxRps: number;
  readonly stdRps: number;
  readonly dispersionAt1s: number;
  readonly dispersionAt10s: number;
  /** At lags of 10 s, 20 s, … up to a quarter of the load. */
  readonly autocorrelationAt10s: readonly number[];
}

const LONG_WINDOW_S = 10;

export function loadStatistics(arrivalsPerSecond: readonly number[]): LoadStatistics {
  const sorted = arrivalsPerSecond.toSorted((a, b) => a - b);
  const inWindows = blockSums(arrivalsPerSecond, LONG_WINDOW_S);
  return {
    seconds: arrivalsPerSecond.length,
    requests: arrivalsPerSecond.reduce((sum, count) => sum + count, 0),
    meanRps: meanOf(arrivalsPerSecond),
    minRps: sorted[0] ?? 0,
    medianRps: quantileOfSorted(sorted, 0.5),
    p95Rps: quantileOfSorted(sorted, 0.95),
    p99Rps: quantileOfSorted(sorted, 0.99),
    maxRps: sorted.at(-1) ?? 0,
    stdRps: Math.sqrt(centralMoment(arrivalsPerSecond, 2)),
    dispersionAt1s: dispersionOf(arrivalsPerSecond),
    dispersionAt10s: dispersionOf(inWindows),
    autocorrelationAt10s: autocorrelation(inWindows, Math.floor(inWindows.length / 4)),
  };
}

/** Drops an incomplete last block. */
export function blockSums(values: readonly number[], size: number): readonly number[] {
  return Array.from({ length: Math.floor(values.length / size) }, (_, block) => {
    let sum = 0;
    for (let i = block * size; i < (block + 1) * size; i++) sum += values[i] as number;
    return sum;
  });
}

/** Lags 1…`lags`; 0 for a constant list. */
export function autocorrelation(values: readonly number[], lags: number): readonly number[] {
  const mean = meanOf(values);
  const deviations = Float64Array.from(values, (value) => value - mean);
  const squares = deviations.reduce((sum, deviation) => sum + deviation * deviation, 0);
  return Array.from({ length: lags }, (_, i) => {
    let products = 0;
    for (let at = i + 1; at < deviations.length; at++) {
      products += (deviations[at] as number) * (deviations[at - i - 1] as number);
    }
    return squares === 0 ? 0 : products / squares;
  });
}
