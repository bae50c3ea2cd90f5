/**
 * Forecasting task. Input: the maximum count per second of each of the last bins. Output: the maximum count of the next
 * bins. The literature uses the same task (IPA, JSys 2024: twelve maxima of 10 s in, the maximum of the next 20 s out).
 */

export interface PeakTask {
  readonly binS: number;
  readonly lags: number;
  readonly horizonBins: number;
  /** Quantile of `upperRps`, in (0, 1). */
  readonly upperFraction: number;
}

export const USUAL_PEAK_TASK: PeakTask = { binS: 10, lags: 12, horizonBins: 2, upperFraction: 0.95 };

/** Forecast of a peak: at least 0; 0 without observations. */
export interface PeakForecast {
  /** Likely peak, near the median. */
  readonly pointRps: number;
  readonly upperRps: number;
}

export interface BinRules {
  readonly binS: number;
  /** Factor on counts; the products are rounded down. */
  readonly scale: number;
  /** False removes seconds whose scaled count is 0, which are gaps in sampled traces. */
  readonly keepZeros: boolean;
}

/** Maxima of whole bins in time order. */
export interface PeakSeries {
  readonly maximaRps: Float64Array;
  /** Start of each bin in the trace (s), counting removed seconds. */
  readonly startS: Int32Array;
}

/** Negative and non-finite counts are missing measurements: they are removed. */
export function peakSeries(counts: ArrayLike<number>, { binS, scale, keepZeros }: BinRules): PeakSeries {
  const maximaRps = new Float64Array(Math.floor(counts.length / binS));
  const startS = new Int32Array(maximaRps.length);
  let bins = 0;
  let seconds = 0;
  for (let second = 0; second < counts.length; second++) {
    const count = Math.floor((counts[second] as number) * scale);
    if (!isCount(count) || (count === 0 && !keepZeros)) continue;
    if (seconds === 0) {
      startS[bins] = second;
      maximaRps[bins] = count;
    } else maximaRps[bins] = Math.max(maximaRps[bins] as number, count);
    seconds += 1;
    if (seconds < binS) continue;
    seconds = 0;
    bins += 1;
  }
  return { maximaRps: maximaRps.slice(0, bins), startS: startS.slice(0, bins) };
}

export function isCount(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}

export interface TrainingPeaks {
  readonly task: PeakTask;
  readonly maximaRps: Float64Array;
  /** Entry i: peak of bins i to i + horizonBins − 1. Bins without a complete horizon have no entry. */
  readonly targetsRps: Float64Array;
}

export function trainingPeaks(maximaRps: Float64Array, task: PeakTask): TrainingPeaks {
  return { task, maximaRps, targetsRps: peakTargets(maximaRps, task.horizonBins) };
}

export function peakTargets(maximaRps: Float64Array, horizonBins: number): Float64Array {
  const targets = new Float64Array(Math.max(0, maximaRps.length - horizonBins + 1));
  for (let i = 0; i < targets.length; i++) targets[i] = Math.max(...maximaRps.subarray(i, i + horizonBins));
  return targets;
}

export function remember(memory: readonly number[], maximumRps: number, lags: number): readonly number[] {
  return [...memory.slice(Math.max(0, memory.length - lags + 1)), maximumRps];
}

/** Padded to `lags` with the oldest value; undefined if empty. */
export function fullWindow(memory: readonly number[], lags: number): Float64Array | undefined {
  const [oldest] = memory;
  if (oldest === undefined) return undefined;
  const window = new Float64Array(lags).fill(oldest);
  window.set(memory.slice(-lags), Math.max(0, lags - memory.length));
  return window;
}
