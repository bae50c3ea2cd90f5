import { normalQuantile } from '../../kernel/normal-quantile.js';

/** Counts that come in with every tick, cut into bins of whole seconds whose largest count is what the methods see. */

/** How far the seconds have been read. `second` is that behind the last one, counted from the start of the record. */
export interface BinCounts {
  readonly second: number;
  /** Seconds of the bin under way with their largest count. */
  readonly inBin: number;
  readonly maximumRps: number;
}

/** Nothing read yet; bins begin at the whole multiples of their length. */
export const noCounts: BinCounts = { second: -1, inBin: 0, maximumRps: 0 };

/** What has been read, and the maxima of the bins that it completes. */
export interface ReadCounts {
  readonly counts: BinCounts;
  readonly maximaRps: readonly number[];
}

/**
 * Reads the seconds up to `atMs` of which `arrivalsPerSecond` are the last. Seconds that were read before are left out; where some
 * between them are lost, or the clock was set back, the bin under way begins anew.
 */
export function readCounts(
  before: BinCounts,
  { arrivalsPerSecond, atMs }: { readonly arrivalsPerSecond: readonly number[]; readonly atMs: number },
  binS: number,
): ReadCounts {
  const end = Math.floor(atMs / 1000);
  const first = end - arrivalsPerSecond.length;
  const goesOn = before.second >= first && before.second <= end;
  let counts = goesOn ? before : { second: first, inBin: 0, maximumRps: 0 };
  const maximaRps: number[] = [];
  for (const count of arrivalsPerSecond.slice(counts.second - first)) {
    // A record that begins in the middle of a bin, or resumes there, waits for the next one.
    const outside = counts.inBin === 0 && counts.second % binS !== 0;
    const inBin = outside ? 0 : counts.inBin + 1;
    const maximumRps = outside ? 0 : Math.max(counts.maximumRps, count);
    if (inBin === binS) maximaRps.push(maximumRps);
    const full = inBin === binS;
    counts = { second: counts.second + 1, inBin: full ? 0 : inBin, maximumRps: full ? 0 : maximumRps };
  }
  return { counts, maximaRps };
}

/**
 * From the peak of counts to the rate behind it. The largest of n counts per second lies above their rate by chance alone; a plan is
 * verified against just that chance at the rate that it is given, so a peak taken for a rate would count the chance twice. A rate r with
 * dispersion D has counts near a normal law with variance D·r, and all n of them stay below r + z·√(D·r) with probability p where z is
 * the normal quantile of p^(1/n).
 */

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
