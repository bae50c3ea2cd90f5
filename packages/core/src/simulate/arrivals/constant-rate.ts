import { drawExponential, drawGamma, type Rng } from '../../kernel/rng.js';

/** State of the rate, held for `meanHoldS` > 0 on average. */
export interface MmppState {
  readonly arrivalRps: number;
  readonly meanHoldS: number;
}

export interface MmppLoad {
  readonly states: readonly MmppState[];
  readonly durationS: number;
}

/**
 * Markov-modulated Poisson arrivals: a Poisson rate per state, with exponential holding times. States follow in turn.
 * The first is drawn by its share of time, so the process is stationary with mean Σ rate·hold ÷ Σ hold. With two
 * states, dispersion in windows of t is 1 + A·(1 − (1 − e^(−rt)) ÷ (rt)), r the sum of both leaving rates (Fischer and
 * Meier-Hellstern, 1993).
 */
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
        // Memoryless: the rest of the gap can be redrawn at the new rate.
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

/** Instants in ms from 0, ascending; undefined at the end of the load. A day of load needs no list. */
export interface ArrivalProcess {
  nextAtMs(): number | undefined;
}

/** Arrivals at equal distances, the first at 0, until `durationMs`. */
export function deterministicArrivals(arrivalRps: number, durationMs: number): ArrivalProcess {
  let count = 0;
  return {
    nextAtMs: () => {
      const atMs = arrivalRps > 0 ? (count++ * 1000) / arrivalRps : Number.POSITIVE_INFINITY;
      return atMs < durationMs ? atMs : undefined;
    },
  };
}

/** Poisson arrivals until `durationMs`. */
export function poissonArrivals(arrivalRps: number, durationMs: number, rng: Rng): ArrivalProcess {
  let atMs = 0;
  return {
    nextAtMs: () => {
      atMs += arrivalRps > 0 ? (drawExponential(rng) * 1000) / arrivalRps : Number.POSITIVE_INFINITY;
      return atMs < durationMs ? atMs : undefined;
    },
  };
}

/** Mean rate, and coefficient of variation `cv` > 0 of the gaps. */
export interface GammaLoad {
  readonly arrivalRps: number;
  readonly durationS: number;
  readonly cv: number;
}

/**
 * Renewal arrivals with gamma gaps of shape 1 ÷ cv², the first from 0. The index of dispersion of counts tends to cv²
 * in long windows (Cox, Renewal Theory, 1962).
 */
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
