/**
 * Burstiness of a request stream, and the model that the estimate makes of it.
 *
 * Measured is the index of dispersion of counts, I(t) = variance ÷ mean of the requests in windows of length t, at two windows. A rate that
 * switches between two levels (MMPP) has I(t) = 1 + A·(1 − (1 − e^(−rt)) ÷ (rt)), where r is the rate of forgetting and A what is
 * reached in the long run: two windows give both. What changes faster than a stage works is felt as items in company, a renewal
 * dispersion; what changes slower is felt as a steady rate that is now higher, now lower. Changes slower than the long window belong to
 * the forecast.
 */

/** Dispersion of request counts in windows of `sloMs` and of 10 s (1 is Poisson), and how lopsided the rate is (0 when left out). */
export interface Burstiness {
  readonly sloMs: number;
  readonly dispersionAtSlo: number;
  readonly dispersionAt10s: number;
  /** Skewness of the arrival rate: 0 for as much time high as low, positive for short high phases. */
  readonly rateSkewness?: number;
}

/** Poisson arrivals. */
export const poissonBurstiness: Burstiness = { sloMs: 1000, dispersionAtSlo: 1, dispersionAt10s: 1 };

/** A rate that is `highFactor` times the mean for `meanHighMs` on average, then `lowFactor` times for `meanLowMs`. */
export interface RateSwitching {
  readonly highFactor: number;
  readonly lowFactor: number;
  readonly meanHighMs: number;
  readonly meanLowMs: number;
}

/** What a stage feels: company of its items (1 is Poisson), and slow switching of the rate if there is any. */
export interface FeltBurstiness {
  readonly dispersion: number;
  readonly switching?: RateSwitching;
}

const LONG_WINDOW_MS = 10_000;
/** Below this the excess over Poisson is not worth modeling. */
const LEAST_EXCESS = 0.02;
/** Below this share of the excess the slow part is felt as company too. */
const LEAST_SLOW_PART = 0.05;
/** A rate that is forgotten within this many requests, or this many times faster than the stage works, is felt as company. */
const FAST_REQUESTS = 4;
const FAST_STAGES = 1.5;

/** Whether the request stream is Poisson for all that the estimate can tell. */
export const isPoisson = ({ dispersionAt10s }: Burstiness): boolean => !(dispersionAt10s - 1 >= LEAST_EXCESS);

interface Fit {
  readonly excess: number;
  readonly forgettingPerMs: number;
}

/** 1 − (1 − e^(−x)) ÷ x. */
const reached = (x: number): number => (x < 1e-6 ? x / 2 : 1 + Math.expm1(-x) / x);

const fits = new WeakMap<Burstiness, Fit>();

function fitted(burstiness: Burstiness): Fit {
  const known = fits.get(burstiness) ?? fit(burstiness);
  fits.set(burstiness, known);
  return known;
}

function fit({ sloMs, dispersionAtSlo, dispersionAt10s }: Burstiness): Fit {
  const long = dispersionAt10s - 1;
  const ratio = Math.max(0, dispersionAtSlo - 1) / long;
  let [low, high] = [Math.log(1 / (6 * LONG_WINDOW_MS)), Math.log(100)];
  for (let i = 0; i < 50; i++) {
    const middle = (low + high) / 2;
    const r = Math.exp(middle);
    if (reached(r * sloMs) / reached(r * LONG_WINDOW_MS) < ratio) low = middle;
    else high = middle;
  }
  const forgettingPerMs = Math.exp((low + high) / 2);
  return { excess: long / reached(forgettingPerMs * LONG_WINDOW_MS), forgettingPerMs };
}

/** Share of time in the high state for a skewness of the rate. */
function highShare(skewness: number): number {
  const share = 0.5 * (1 - skewness / Math.sqrt(4 + skewness * skewness));
  return Math.max(0.05, Math.min(0.95, share));
}

function switchingOf(variation: number, share: number, forgettingPerMs: number): RateSwitching {
  const spread = Math.sqrt(variation / (share * (1 - share)));
  const lowFactor = Math.max(0, 1 - share * spread);
  return {
    highFactor: (1 - (1 - share) * lowFactor) / share,
    lowFactor,
    meanHighMs: 1 / (forgettingPerMs * (1 - share)),
    meanLowMs: 1 / (forgettingPerMs * share),
  };
}

/** What a stage that needs `stageMs` per batch feels of requests that come at `requestsPerMs`. */
export function feltBurstiness(burstiness: Burstiness, requestsPerMs: number, stageMs: number): FeltBurstiness {
  if (isPoisson(burstiness)) return { dispersion: 1 };
  const { excess, forgettingPerMs } = fitted(burstiness);
  const hastyForRequests = Math.exp(-((requestsPerMs / (FAST_REQUESTS * forgettingPerMs)) ** 2));
  const hastyForStage = Math.exp(-((FAST_STAGES / (forgettingPerMs * stageMs)) ** 2));
  const slowPart = (1 - hastyForRequests) * (1 - hastyForStage);
  if (slowPart < LEAST_SLOW_PART) return { dispersion: 1 + excess };
  const variation = (slowPart * excess * forgettingPerMs) / (2 * requestsPerMs);
  const switching = switchingOf(variation, highShare(burstiness.rateSkewness ?? 0), forgettingPerMs);
  return { dispersion: 1 + excess * (1 - slowPart), switching };
}
