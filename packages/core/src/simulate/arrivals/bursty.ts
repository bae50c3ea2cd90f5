import { exponential, type Rng } from '../../kernel/rng.js';
import { type Burstiness, fitBurstiness, isPoisson } from '../../model/expected-load.js';
import type { ArrivalProcess } from './constant-rate.js';
import type { LoadSpec } from './load-spec.js';

/**
 * Markov-modulated Poisson arrivals: Poisson at the rate of a state that is held for an exponential time. The states are visited in turn,
 * the first one is drawn by its share of the time, so the process is stationary from 0 with mean Σ rate·hold ÷ Σ hold. With two states
 * its dispersion in windows of t is 1 + A·(1 − (1 − e^(−rt)) ÷ (rt)), r the sum of both rates of leaving (Fischer and Meier-Hellstern, 1993).
 */

/** A state of the rate, held for `meanHoldS` on average, above 0. */
export interface MmppState {
  readonly arrivalRps: number;
  readonly meanHoldS: number;
}

/** States visited in turn; at least one. */
export interface MmppLoad {
  readonly states: readonly MmppState[];
  readonly durationS: number;
}

/** Arrivals of a rate that changes state at random. */
export function mmppArrivals({ states, durationS }: MmppLoad, rng: Rng): ArrivalProcess {
  const durationMs = durationS * 1000;
  let index = firstState(states, rng);
  let atMs = 0;
  let changesAtMs = 0;
  const enter = () => {
    changesAtMs += exponential(rng) * (states[index]?.meanHoldS ?? durationS) * 1000;
  };
  enter();
  return {
    nextAtMs: () => {
      while (atMs < durationMs) {
        const arrivalRps = states[index]?.arrivalRps ?? 0;
        const nextMs = arrivalRps > 0 ? atMs + (exponential(rng) * 1000) / arrivalRps : Number.POSITIVE_INFINITY;
        if (nextMs < changesAtMs) {
          atMs = nextMs;
          return atMs < durationMs ? atMs : undefined;
        }
        // Without memory, what is left of the gap may be drawn anew at the new rate.
        atMs = changesAtMs;
        index = (index + 1) % states.length;
        enter();
      }
      return undefined;
    },
  };
}

function firstState(states: readonly MmppState[], rng: Rng): number {
  const totalS = states.reduce((sum, { meanHoldS }) => sum + meanHoldS, 0);
  let leftS = rng.next() * totalS;
  return Math.max(
    0,
    states.findIndex(({ meanHoldS }) => {
      leftS -= meanHoldS;
      return leftS < 0;
    }),
  );
}

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
