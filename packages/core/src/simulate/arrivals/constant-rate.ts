import { drawExponential, drawGamma, type Rng } from '../../kernel/rng.js';

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
    changesAtMs += drawExponential(rng) * (states[index]?.meanHoldS ?? durationS) * 1000;
  };
  enter();
  return {
    nextAtMs: () => {
      while (atMs < durationMs) {
        const arrivalRps = states[index]?.arrivalRps ?? 0;
        const nextMs = arrivalRps > 0 ? atMs + (drawExponential(rng) * 1000) / arrivalRps : Number.POSITIVE_INFINITY;
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

export function firstState(states: readonly MmppState[], rng: Rng): number {
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

/** What every generator gives: the instants of a load, one after another, so that a day of load needs no list of requests. */

/** Instants in ms from 0, ascending; undefined when the load has ended. */
export interface ArrivalProcess {
  nextAtMs(): number | undefined;
}

/** Arrivals at equal distances: what a sensor sends, and the D of the textbook queues. */

/** Arrivals at equal distances at a constant rate, the first at 0, until `durationMs`. */
export function deterministicArrivals(arrivalRps: number, durationMs: number): ArrivalProcess {
  let count = 0;
  return {
    nextAtMs: () => {
      const atMs = arrivalRps > 0 ? (count++ * 1000) / arrivalRps : Number.POSITIVE_INFINITY;
      return atMs < durationMs ? atMs : undefined;
    },
  };
}

/** Poisson arrivals: exponential gaps, independent of each other; the index of dispersion of counts is 1 in every window. */

/** Poisson arrivals at a constant rate until `durationMs`. */
export function poissonArrivals(arrivalRps: number, durationMs: number, rng: Rng): ArrivalProcess {
  let atMs = 0;
  return {
    nextAtMs: () => {
      atMs += arrivalRps > 0 ? (drawExponential(rng) * 1000) / arrivalRps : Number.POSITIVE_INFINITY;
      return atMs < durationMs ? atMs : undefined;
    },
  };
}

/**
 * Renewal arrivals with gamma-distributed gaps of shape 1 ÷ cv²: burstier than Poisson above a coefficient of variation of 1, more even
 * below it. In long windows the index of dispersion of counts tends to cv² (Cox, Renewal Theory, 1962). The first gap starts at 0.
 */

/** A constant mean rate with gaps of coefficient of variation `cv`, above 0. */
export interface GammaLoad {
  readonly arrivalRps: number;
  readonly durationS: number;
  readonly cv: number;
}

/** Arrivals with gamma-distributed gaps. */
export function gammaArrivals({ arrivalRps, durationS, cv }: GammaLoad, rng: Rng): ArrivalProcess {
  const shape = 1 / (cv * cv);
  const durationMs = durationS * 1000;
  let atMs = 0;
  return {
    nextAtMs: () => {
      atMs += arrivalRps > 0 ? (drawGamma(shape, rng) * 1000) / arrivalRps : Number.POSITIVE_INFINITY;
      return atMs < durationMs ? atMs : undefined;
    },
  };
}
