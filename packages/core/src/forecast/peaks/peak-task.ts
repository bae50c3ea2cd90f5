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
