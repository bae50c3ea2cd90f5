/**
 * What is foretold: the largest count per second of the next bins, from the largest counts of the last ones. A plan must hold at the peak
 * of the time that it is in force, not at its mean; maxima in, maximum out is the task that the literature trains its forecasters on
 * (IPA, Ghafouri et al., JSys 2024: twelve maxima of 10 s in, the maximum of the next 20 s out).
 */

/** Shape of the task. */
export interface PeakTask {
  /** Seconds whose largest count makes one value. */
  readonly binS: number;
  /** Last values that a forecast may rest on. */
  readonly lags: number;
  /** Next values whose largest one is foretold. */
  readonly horizonBins: number;
  /** The quantile that `upperRps` stands for, above 0 and below 1. */
  readonly upperFraction: number;
}

/** Twelve maxima of 10 s in, the maximum of the next 20 s out, planned at its 95 % quantile. */
export const USUAL_PEAK_TASK: PeakTask = { binS: 10, lags: 12, horizonBins: 2, upperFraction: 0.95 };

/** A peak that is expected; both are 0 or more, and 0 where nothing was seen yet. */
export interface PeakForecast {
  /** The likely peak, near the median. */
  readonly pointRps: number;
  /** What the peak stays below with probability `upperFraction`. */
  readonly upperRps: number;
}

/** A trace of counts per second as a series of maxima over bins, with the peak that followed each of them. */

/** How counts become maxima. */
export interface BinRules {
  readonly binS: number;
  /** Counts are multiplied by it and rounded down. */
  readonly scale: number;
  /** Without it, seconds whose scaled count is 0 are taken out before binning: in sampled traces they are gaps. */
  readonly keepZeros: boolean;
}

/** Maxima of whole bins in the order of time; the rest that fills no bin is left out. */
export interface PeakSeries {
  readonly maximaRps: Float64Array;
  /** By bin the position of its first second in the trace, zeros counted. */
  readonly startS: Int32Array;
}

/** Bins a trace. A count that is no finite number, or below 0, is a second without a measurement and is taken out. */
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

/** Whether `value` can be a number of requests per second: finite and 0 or more. */
export function isCount(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}

/** The part of a series that a fit may see, with what followed. */
export interface TrainingPeaks {
  readonly task: PeakTask;
  readonly maximaRps: Float64Array;
  /** At i the peak of the bins i to i + horizonBins − 1; shorter than the maxima by what lies beyond their end. */
  readonly targetsRps: Float64Array;
}

/** The examples in `maximaRps`: target i with the `lags` maxima before i, for i from `lags` on. */
export function trainingPeaks(maximaRps: Float64Array, task: PeakTask): TrainingPeaks {
  return { task, maximaRps, targetsRps: peakTargets(maximaRps, task.horizonBins) };
}

/** At i the largest of the maxima i to i + horizonBins − 1, as far as all of them are known. */
export function peakTargets(maximaRps: Float64Array, horizonBins: number): Float64Array {
  const targets = new Float64Array(Math.max(0, maximaRps.length - horizonBins + 1));
  for (let i = 0; i < targets.length; i++) targets[i] = Math.max(...maximaRps.subarray(i, i + horizonBins));
  return targets;
}

/** The last maxima, oldest first: the memory of methods that look at a window. */

/** `memory` with one more maximum, no longer than `lags`. */
export function remember(memory: readonly number[], maximumRps: number, lags: number): readonly number[] {
  return [...memory.slice(Math.max(0, memory.length - lags + 1)), maximumRps];
}

/** The memory filled up to `lags` with the oldest value that is known; undefined while nothing is. */
export function fullWindow(memory: readonly number[], lags: number): Float64Array | undefined {
  const [oldest] = memory;
  if (oldest === undefined) return undefined;
  const window = new Float64Array(lags).fill(oldest);
  window.set(memory.slice(-lags), Math.max(0, lags - memory.length));
  return window;
}
