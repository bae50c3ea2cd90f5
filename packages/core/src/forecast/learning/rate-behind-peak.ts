/**
 * From the peak of counts to the rate behind it. The largest of n counts per second lies above their rate by chance alone; a plan is
 * verified against just that chance at the rate that it is given, so a peak taken for a rate would count the chance twice. A rate r with
 * dispersion D has counts near a normal law with variance D·r, and all n of them stay below r + z·√(D·r) with probability p where z is
 * the normal quantile of p^(1/n).
 */
import { normalQuantile } from '../../kernel/normal-quantile.js';

/** What tells a peak from its rate. */
export interface PeakLaw {
  /** Counts per second of which the peak is the largest. */
  readonly seconds: number;
  /** Probability with which the peak stays below the given one, above 0 and below 1. */
  readonly fraction: number;
  /** Variance ÷ mean of the counts; 1 for Poisson. */
  readonly dispersion: number;
}

/** The rate (rps) whose peak of `seconds` counts stays below `peakRps` with probability `fraction`; never above the peak. */
export function rateBehindPeak(peakRps: number, { seconds, fraction, dispersion }: PeakLaw): number {
  const spread = Math.max(0, normalQuantile(fraction ** (1 / seconds))) * Math.sqrt(dispersion);
  const root = (Math.sqrt(spread * spread + 4 * peakRps) - spread) / 2;
  return root * root;
}
