/**
 * Replay of counts per second. Each second gets exactly its count, spread by one of three rules over uniform numbers that come in
 * ascending order (the next of n left in (x, 1) lies at 1 − (1 − x)·U^(1/n)), so a second needs no list and no sorting:
 *
 * - `poisson`: at random, which is a Poisson process given its count;
 * - `uniform`: at equal distances, half a distance from both ends;
 * - `bunched`: offsets from the start of the second drawn from an exponential law of mean 1 ÷ count s, not added up, as the load tester of
 *   IPA (JSys 2024) does it: about two thirds of a second's requests lie within its first 1 ÷ count of a second. An offset beyond the second
 *   counts as drawn again, so that no second lends a request to the next.
 */
import type { Rng } from '../../kernel/rng.js';
import type { ArrivalProcess } from './constant-rate.js';

/** How the requests of a second are spread over it. */
export type TraceSpread = (typeof traceSpreads)[number];

/** The spreads by name, the default first. */
export const traceSpreads = ['poisson', 'uniform', 'bunched'] as const;

/** Offsets stay this far (s) from the end of their second, so that rounding cannot push one into the next. */
const LAST_OFFSET_S = 1 - 2 ** -20;

/** Arrivals with `arrivalsPerSecond[i]` requests in second i. */
export function traceArrivals(
  arrivalsPerSecond: readonly number[],
  rng: Rng,
  spread: TraceSpread = 'poisson',
): ArrivalProcess {
  let second = -1;
  let count = 0;
  let sent = 0;
  let above = 1;
  return {
    nextAtMs: () => {
      while (sent >= count) {
        second += 1;
        if (second >= arrivalsPerSecond.length) return undefined;
        count = arrivalsPerSecond[second] ?? 0;
        sent = 0;
        above = 1;
      }
      const left = count - sent++;
      if (spread === 'uniform') return (second + (sent - 0.5) / count) * 1000;
      above *= (1 - rng.next()) ** (1 / left);
      const offsetS = spread === 'bunched' ? bunchedOffsetS(above, count) : 1 - above;
      return (second + Math.min(offsetS, LAST_OFFSET_S)) * 1000;
    },
  };
}

/** The offset that a share `above` of the exponential law of mean 1 ÷ count, cut at 1 s, exceeds. */
function bunchedOffsetS(above: number, count: number): number {
  const beyond = Math.exp(-count);
  return -Math.log(above * (1 - beyond) + beyond) / count;
}
