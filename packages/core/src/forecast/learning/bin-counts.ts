import { normalQuantile } from '../../kernel/normal-quantile.js';

/** Cuts the counts of each tick into bins and keeps their maxima. */

/** `second` is the one after the last read, counted from the start of the record. */
export interface BinCounts {
  readonly second: number;
  readonly inBin: number;
  readonly maximumRps: number;
}

export const noCounts: BinCounts = { second: -1, inBin: 0, maximumRps: 0 };

export interface ReadCounts {
  readonly counts: BinCounts;
  readonly maximaRps: readonly number[];
}

/** Reads the seconds up to `atMs`; skips those already read. A gap or a clock set back restarts the bin. */
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
 * Rate behind a peak of counts, which exceeds the rate by chance. Counts of rate r and dispersion D are near normal
 * with variance D·r. All n stay below r + z·√(D·r) with probability p, where z is the normal quantile of p^(1/n).
 */

export interface PeakLaw {
  readonly seconds: number;
  /** Probability that the peak stays lower, in (0, 1). */
  readonly fraction: number;
  /** Variance ÷ mean; 1 for Poisson. */
  readonly dispersion: number;
}

/** Rate (rps) whose peak of `seconds` counts stays below `peakRps` with probability `fraction`; at most the peak. */
export function rateBehindPeak(peakRps: number, { seconds, fraction, dispersion }: PeakLaw): number {
  const spread = Math.max(0, normalQuantile(fraction ** (1 / seconds))) * Math.sqrt(dispersion);
  const root = (Math.sqrt(spread * spread + 4 * peakRps) - spread) / 2;
  return root * root;
}
