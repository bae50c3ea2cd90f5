import { type Burstiness, fitBurstiness, isPoisson } from '../../model/expected-load.js';
import type { LoadSpec } from './load-spec.js';

/**
 * Arrivals with measured burstiness: the load whose index of dispersion of counts is the measured one at both windows.
 *
 * A rate that is forgotten within a few requests shows as uneven gaps: gamma, with the long-run dispersion for the squared coefficient of
 * variation. Otherwise the rate switches between two levels (MMPP) with the fitted excess A and forgetting r: the variance of the rate is
 * A·r·λ ÷ 2, the levels are held by turns for exponential times, half of the time each, or the high one for less where half would take a
 * low rate below 0.
 */

/** Requests within which a rate is forgotten that shows as uneven gaps. */
const FAST_REQUESTS = 4;

/** The load of `durationS` at a mean of `arrivalRps`. */
export function burstyLoad(arrivalRps: number, burstiness: Burstiness, durationS: number): LoadSpec {
  if (isPoisson(burstiness) || arrivalRps <= 0) return { kind: 'poisson', arrivalRps, durationS };
  const { excess, forgettingPerMs } = fitBurstiness(burstiness);
  const requestsPerMs = arrivalRps / 1000;
  if (FAST_REQUESTS * forgettingPerMs > requestsPerMs) {
    return { kind: 'gamma', arrivalRps, durationS, cv: Math.sqrt(1 + excess) };
  }
  const variation = (excess * forgettingPerMs) / (2 * requestsPerMs);
  const highShare = Math.min(0.5, 1 / (1 + variation));
  const lowFactor = Math.max(0, 1 - Math.sqrt((variation * highShare) / (1 - highShare)));
  const highFactor = (1 - (1 - highShare) * lowFactor) / highShare;
  const meanHoldS = (share: number) => 1 / (1000 * forgettingPerMs * (1 - share));
  const states = [
    { arrivalRps: highFactor * arrivalRps, meanHoldS: meanHoldS(highShare) },
    { arrivalRps: lowFactor * arrivalRps, meanHoldS: meanHoldS(1 - highShare) },
  ];
  return { kind: 'mmpp', states, durationS };
}
