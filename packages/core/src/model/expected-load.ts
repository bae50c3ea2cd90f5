/**
 * Burstiness of a request stream: index of dispersion of counts, I(t) = variance ÷ mean in windows of length t. A rate
 * that switches between two levels (MMPP) has I(t) = 1 + A·(1 − (1 − e^(−rt)) ÷ (rt)) (Fischer and Meier-Hellstern,
 * Performance Evaluation 18, 1993). Two windows determine A and r.
 */

/** Dispersion in windows of `sloMs` and of 10 s; 1 is Poisson. */
export interface Burstiness {
  readonly sloMs: number;
  readonly dispersionAtSlo: number;
  readonly dispersionAt10s: number;
  /** Positive if phases of high rate are short; default 0. */
  readonly rateSkewness?: number;
}

/** Parameters A (long-run excess over Poisson) and r (forgetting rate). */
export interface BurstinessFit {
  readonly excess: number;
  readonly forgettingPerMs: number;
}

export const poissonBurstiness: Burstiness = { sloMs: 1000, dispersionAtSlo: 1, dispersionAt10s: 1 };

export const LONG_WINDOW_MS = 10_000;

const LEAST_EXCESS = 0.02;

/** True if the stream cannot be distinguished from Poisson. */
export const isPoisson = ({ dispersionAt10s }: Burstiness): boolean => !(dispersionAt10s - 1 >= LEAST_EXCESS);

/** 1 − (1 − e^(−x)) ÷ x. */
const growth = (x: number): number => (x < 1e-6 ? x / 2 : 1 + Math.expm1(-x) / x);

/** Fit of a stream, which must not be Poisson. */
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

/** Dispersion in windows of `windowMs`; 1 is Poisson. */
export function dispersionAt(burstiness: Burstiness, windowMs: number): number {
  if (isPoisson(burstiness)) return 1;
  const { excess, forgettingPerMs } = fitBurstiness(burstiness);
  return 1 + excess * growth(forgettingPerMs * windowMs);
}

/** Maximum number of requests in any window of `windowS` seconds. */
export interface EnvelopeWindow {
  readonly windowS: number;
  readonly arrivals: number;
}

/** Traffic envelope (Le Boudec and Thiran, Network Calculus, 2001). Windows and bounds ascend. */
export type ArrivalEnvelope = readonly EnvelopeWindow[];

/** Requests that wait when a plan takes effect. */
export interface Backlog {
  readonly requests: number;
  /** Arrivals during this time from the start do not count against the plan. */
  readonly graceMs: number;
}

/** Poisson at `arrivalRps` if neither burstiness nor envelope is given. */
export interface ExpectedLoad {
  readonly arrivalRps: number;
  readonly burstiness?: Burstiness;
  readonly envelope?: ArrivalEnvelope;
  readonly backlog?: Backlog;
}
