/**
 * Markov-modulated Poisson arrivals: Poisson at the rate of a state that is held for an exponential time. The states are visited in turn,
 * the first one is drawn by its share of the time, so the process is stationary from 0 with mean Σ rate·hold ÷ Σ hold. With two states
 * its dispersion in windows of t is 1 + A·(1 − (1 − e^(−rt)) ÷ (rt)), r the sum of both rates of leaving (Fischer and Meier-Hellstern, 1993).
 */
import { exponential, type Rng } from '../../kernel/rng.js';
import type { ArrivalProcess } from './arrival-process.js';

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
