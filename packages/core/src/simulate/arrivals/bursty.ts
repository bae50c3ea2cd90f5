import { type Burstiness, fitBurstiness, isPoisson } from '../../model/expected-load.js';
import type { LoadSpec } from './load-spec.js';

/**
 * Load with the measured dispersion in both windows. If the rate is forgotten within a few requests, arrivals have
 * gamma gaps, whose squared coefficient of variation is the long-run dispersion. Otherwise they are a two-level MMPP
 * with excess A, forgetting rate r and rate variance A·r·λ ÷ 2.
 */

const FAST_REQUESTS = 4;

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
