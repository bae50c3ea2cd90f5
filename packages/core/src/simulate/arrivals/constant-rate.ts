import { drawExponential, drawGamma, type Rng } from '../../kernel/rng.js';

/** `meanHoldS` > 0. */
export interface MmppState {
  readonly arrivalRps: number;
  readonly meanHoldS: number;
}

export interface MmppLoad {
  readonly states: readonly MmppState[];
  readonly durationS: number;
}

/**
 * Markov-modulated Poisson arrivals: each state has a Poisson rate. States follow in turn, with exponential holding
 * times. Stationary with mean Σ rate·hold ÷ Σ hold (Fischer and Meier-Hellstern, 1993).
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
        // The gap is memoryless: its rest is redrawn at the new rate.
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

/** Arrival instants in ms from 0, ascending; undefined at the end of the load. */
export interface ArrivalProcess {
  nextAtMs(): number | undefined;
  /** By source: true if the next request has its part. Called once per request, in order. */
  takeParts?(): readonly boolean[];
}

/** Equal distances, the first at 0. */
export function deterministicArrivals(arrivalRps: number, durationMs: number): ArrivalProcess {
  let count = 0;
  return {
    nextAtMs: () => {
      const atMs = arrivalRps > 0 ? (count++ * 1000) / arrivalRps : Number.POSITIVE_INFINITY;
      return atMs < durationMs ? atMs : undefined;
    },
  };
}

export function poissonArrivals(arrivalRps: number, durationMs: number, rng: Rng): ArrivalProcess {
  let atMs = 0;
  return {
    nextAtMs: () => {
      atMs += arrivalRps > 0 ? (drawExponential(rng) * 1000) / arrivalRps : Number.POSITIVE_INFINITY;
      return atMs < durationMs ? atMs : undefined;
    },
  };
}

/** `cv` > 0 is the coefficient of variation of the gaps. */
export interface GammaLoad {
  readonly arrivalRps: number;
  readonly durationS: number;
  readonly cv: number;
}

/** Gamma gaps of shape 1 ÷ cv². The index of dispersion of counts tends to cv² (Cox, Renewal Theory, 1962). */
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
