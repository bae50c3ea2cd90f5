/**
 * Effect of a bursty request stream on a stage (fit: model/expected-load). Rate variation that is faster than the stage
 * acts as dispersion of arrivals. Slower variation acts as switching between two rates.
 */
import { type Burstiness, type BurstinessFit, fitBurstiness, isPoisson } from '../model/expected-load.js';

/** Two rates in turn: `highFactor` × mean for `meanHighMs` on average, then `lowFactor` × mean for `meanLowMs`. */
export interface RateSwitching {
  readonly highFactor: number;
  readonly lowFactor: number;
  readonly meanHighMs: number;
  readonly meanLowMs: number;
}

/** Dispersion of arrivals (1 is Poisson), and slow switching of the rate, if any. */
export interface EffectiveBurstiness {
  readonly dispersion: number;
  readonly switching?: RateSwitching;
}

/** If the slow part of the excess is below this, all excess counts as dispersion. */
const LEAST_SLOW_PART = 0.05;
/** A rate level that lasts up to this many requests, or stage times, counts as dispersion. */
const FAST_REQUESTS = 4;
const FAST_STAGES = 1.5;

const fits = new WeakMap<Burstiness, BurstinessFit>();

function cachedFit(burstiness: Burstiness): BurstinessFit {
  const known = fits.get(burstiness) ?? fitBurstiness(burstiness);
  fits.set(burstiness, known);
  return known;
}

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

/** Effect on a stage that takes `stageMs` per batch. */
export function effectiveBurstiness(
  burstiness: Burstiness,
  requestsPerMs: number,
  stageMs: number,
): EffectiveBurstiness {
  if (isPoisson(burstiness)) return { dispersion: 1 };
  const { excess, forgettingPerMs } = cachedFit(burstiness);
  const hastyForRequests = Math.exp(-((requestsPerMs / (FAST_REQUESTS * forgettingPerMs)) ** 2));
  const hastyForStage = Math.exp(-((FAST_STAGES / (forgettingPerMs * stageMs)) ** 2));
  const slowPart = (1 - hastyForRequests) * (1 - hastyForStage);
  if (slowPart < LEAST_SLOW_PART) return { dispersion: 1 + excess };
  const variation = (slowPart * excess * forgettingPerMs) / (2 * requestsPerMs);
  const switching = switchingOf(variation, highShare(burstiness.rateSkewness ?? 0), forgettingPerMs);
  return { dispersion: 1 + excess * (1 - slowPart), switching };
}
