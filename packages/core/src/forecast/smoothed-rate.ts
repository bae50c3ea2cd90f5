/**
 * Forecasts the load a few seconds ahead. Candidates are means over short windows and lines through longer ones, with
 * Poisson errors. It uses the longest window whose interval overlaps those of all shorter windows (Goldenshluger and
 * Nemirovski 1997). No line begins before the first arrival: the seconds before it show no trend.
 */
import type { Forecast, LoadObservation } from '../model/decision.js';

const MEANS_S = [3, 5, 10];
const LINES_S = [20, 40, 80];
const CONSISTENT_Z = 2;
const UPPER_Z = 1.645;
const DEFAULT_HORIZON_MS = 12_000;

/** A quiet moment during a rise must not make the plan smaller. */
const FALL_DELAY_S = 10;

/** Rate `horizonMs` ahead; 0 without history. */
export function smoothedRate({ arrivalsPerSecond }: LoadObservation, horizonMs = DEFAULT_HORIZON_MS): Forecast {
  const sums = new RunningSums(arrivalsPerSecond);
  const seconds = arrivalsPerSecond.length;
  let meanRps = 0;
  let upperRps = 0;
  for (let end = Math.max(1, seconds - FALL_DELAY_S + 1); end <= seconds; end++) {
    const { windowS, presentRps, slopeRpsPerS, ...errors } = adaptiveFit(sums, end);
    const { presentVariance, slopeVariance, covariance } = errors;
    const aheadS = slopeRpsPerS > 0 ? Math.min(windowS, horizonMs / 1000) : 0;
    meanRps = Math.max(0, presentRps + aheadS * slopeRpsPerS);
    const variance = presentVariance + 2 * aheadS * covariance + aheadS ** 2 * slopeVariance;
    upperRps = Math.max(upperRps, meanRps + UPPER_Z * Math.sqrt(variance));
  }
  return { method: 'smoothed-rate', meanRps, upperRps };
}

interface RateFit {
  readonly windowS: number;
  readonly presentRps: number;
  readonly slopeRpsPerS: number;
  readonly presentVariance: number;
  readonly slopeVariance: number;
  readonly covariance: number;
}

class RunningSums {
  /** Seconds before the first arrival. */
  readonly silentS: number;
  readonly #counts: Float64Array;
  readonly #moments: Float64Array;

  constructor(counts: readonly number[]) {
    const first = counts.findIndex((count) => count > 0);
    this.silentS = first < 0 ? counts.length : first;
    this.#counts = new Float64Array(counts.length + 1);
    this.#moments = new Float64Array(counts.length + 1);
    for (const [second, count] of counts.entries()) {
      this.#counts[second + 1] = (this.#counts[second] as number) + count;
      this.#moments[second + 1] = (this.#moments[second] as number) + count * (second + 0.5);
    }
  }

  mean(end: number, windowS: number): RateFit {
    const count = this.#within(this.#counts, end, windowS);
    const presentVariance = rateVariance(count, windowS);
    const flat = { slopeRpsPerS: 0, slopeVariance: 0, covariance: 0 };
    return { windowS, presentRps: count / windowS, presentVariance, ...flat };
  }

  line(end: number, windowS: number): RateFit {
    const count = this.#within(this.#counts, end, windowS);
    const halfS = windowS / 2;
    const spread = (windowS * (windowS ** 2 - 1)) / 12;
    const slopeRpsPerS = (this.#within(this.#moments, end, windowS) - (end - halfS) * count) / spread;
    const meanVariance = rateVariance(count, windowS);
    const slopeVariance = (meanVariance * windowS) / spread;
    return {
      windowS,
      presentRps: count / windowS + halfS * slopeRpsPerS,
      slopeRpsPerS,
      presentVariance: meanVariance + halfS ** 2 * slopeVariance,
      slopeVariance,
      covariance: halfS * slopeVariance,
    };
  }

  #within(sums: Float64Array, end: number, windowS: number): number {
    return (sums[end] as number) - (sums[end - windowS] as number);
  }
}

/** Adds one count, because 0 may be chance. */
const rateVariance = (count: number, windowS: number): number => (count + 1) / windowS ** 2;

function adaptiveFit(sums: RunningSums, end: number): RateFit {
  const fits = [
    ...MEANS_S.map((windowS) => ({ windowS, seconds: end, fit: () => sums.mean(end, windowS) })),
    ...LINES_S.map((windowS) => ({ windowS, seconds: end - sums.silentS, fit: () => sums.line(end, windowS) })),
  ];
  let adapted = sums.mean(end, Math.min(end, MEANS_S[0] as number));
  let [low, high] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (const { windowS, seconds, fit } of fits) {
    if (windowS > seconds) break;
    const next = fit();
    const reach = CONSISTENT_Z * Math.sqrt(next.presentVariance);
    low = Math.max(low, next.presentRps - reach);
    high = Math.min(high, next.presentRps + reach);
    if (low > high) break;
    adapted = next;
  }
  return adapted;
}
