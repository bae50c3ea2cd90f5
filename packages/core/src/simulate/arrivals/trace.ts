/**
 * Replay of counts per second. Uniform numbers are drawn in ascending order (the next of n in (x, 1) is 1 − (1 −
 * x)·U^(1/n)), so no list is needed. Spreads:
 * - `poisson`: at random, like a Poisson process with this count;
 * - `uniform`: equal distances, half a distance from both ends;
 * - `bunched`: independent exponential offsets of mean 1 ÷ count s, as in IPA's load tester (JSys 2024): two thirds
 * fall into the first 1 ÷ count s. Offsets beyond the second are redrawn.
 */
import type { Rng } from '../../kernel/rng.js';
import type { ArrivalProcess } from './constant-rate.js';

export type TraceSpread = (typeof traceSpreads)[number];

export const traceSpreads = ['poisson', 'uniform', 'bunched'] as const;

/** Rounding then never reaches the next second. */
const LAST_OFFSET_S = 1 - 2 ** -20;

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

/** Offset that is exceeded with probability `above`: exponential of mean 1 ÷ count, truncated at 1 s. */
function bunchedOffsetS(above: number, count: number): number {
  const beyond = Math.exp(-count);
  return -Math.log(above * (1 - beyond) + beyond) / count;
}
