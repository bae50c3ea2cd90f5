/**
 * Burstiness of a request stream as it is measured, and what two windows say about it.
 *
 * Measured is the index of dispersion of counts, I(t) = variance ÷ mean of the requests in windows of length t. A rate that switches between
 * two levels (MMPP) has I(t) = 1 + A·(1 − (1 − e^(−rt)) ÷ (rt)), where r is the rate of forgetting and A what is reached in the long run
 * (Fischer and Meier-Hellstern, Performance Evaluation 18, 1993): two windows give both.
 */

/** Dispersion of request counts in windows of `sloMs` and of 10 s (1 is Poisson), and how lopsided the rate is (0 when left out). */
export interface Burstiness {
  readonly sloMs: number;
  readonly dispersionAtSlo: number;
  readonly dispersionAt10s: number;
  /** Skewness of the arrival rate: 0 for as much time high as low, positive for short high phases. */
  readonly rateSkewness?: number;
}

/** A stream whose dispersion exceeds that of Poisson by `excess` in the long run and forgets its rate at `forgettingPerMs`. */
export interface BurstinessFit {
  readonly excess: number;
  readonly forgettingPerMs: number;
}

/** Poisson arrivals. */
export const poissonBurstiness: Burstiness = { sloMs: 1000, dispersionAtSlo: 1, dispersionAt10s: 1 };

/** The longer of the two windows: what changes slower belongs to the forecast. */
export const LONG_WINDOW_MS = 10_000;

/** Below this the excess over Poisson is not worth modeling. */
const LEAST_EXCESS = 0.02;

/** Whether the request stream is Poisson for all that one can tell. */
export const isPoisson = ({ dispersionAt10s }: Burstiness): boolean => !(dispersionAt10s - 1 >= LEAST_EXCESS);

/** 1 − (1 − e^(−x)) ÷ x. */
const growth = (x: number): number => (x < 1e-6 ? x / 2 : 1 + Math.expm1(-x) / x);

/** Reads excess and forgetting from the two dispersions of a stream that is not Poisson. */
export function fitBurstiness({ sloMs, dispersionAtSlo, dispersionAt10s }: Burstiness): BurstinessFit {
  const long = dispersionAt10s - 1;
  const ratio = Math.max(0, dispersionAtSlo - 1) / long;
  let [low, high] = [Math.log(1 / (6 * LONG_WINDOW_MS)), Math.log(100)];
  for (let i = 0; i < 50; i++) {
    const middle = (low + high) / 2;
    const r = Math.exp(middle);
    if (growth(r * sloMs) / growth(r * LONG_WINDOW_MS) < ratio) low = middle;
    else high = middle;
  }
  const forgettingPerMs = Math.exp((low + high) / 2);
  return { excess: long / growth(forgettingPerMs * LONG_WINDOW_MS), forgettingPerMs };
}

/** Dispersion of counts in windows of `windowMs` (1 is Poisson). */
export function dispersionAt(burstiness: Burstiness, windowMs: number): number {
  if (isPoisson(burstiness)) return 1;
  const { excess, forgettingPerMs } = fitBurstiness(burstiness);
  return 1 + excess * growth(forgettingPerMs * windowMs);
}

/** The load that a plan is made for and verified at. */

/** The most requests that arrive in any window of `windowS` seconds. */
export interface EnvelopeWindow {
  readonly windowS: number;
  readonly arrivals: number;
}

/** A traffic envelope (Le Boudec and Thiran, Network Calculus, 2001): a bound for windows of several lengths, ascending in both. */
export type ArrivalEnvelope = readonly EnvelopeWindow[];

/** Requests that wait when a plan comes into force, and the time it is given to serve them. */
export interface Backlog {
  readonly requests: number;
  /** What arrives earlier than this after the start says nothing about the plan. */
  readonly graceMs: number;
}

/** Poisson at `arrivalRps` unless it says more: how bursty requests are, or a bound that they fill. */
export interface ExpectedLoad {
  readonly arrivalRps: number;
  readonly burstiness?: Burstiness;
  readonly envelope?: ArrivalEnvelope;
  readonly backlog?: Backlog;
}
