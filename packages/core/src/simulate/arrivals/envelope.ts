/**
 * Worst trace within a traffic envelope: as many requests as the windows allow, as early as possible, at the beginning
 * of whole seconds. Second k gets a(k) = min over windows of [E(w) − a(k−1) − … − a(k−w+1)]. No trace within the
 * envelope has more arrivals up to any instant (Le Boudec and Thiran, Network Calculus, 2001, §1.2).
 */
import type { ArrivalEnvelope } from '../../model/expected-load.js';
import type { ArrivalProcess } from './constant-rate.js';

/** `envelope` has at least one window; seconds and requests are whole. */
export function envelopeArrivals(envelope: ArrivalEnvelope, durationMs: number): ArrivalProcess {
  const longestS = Math.max(...envelope.map(({ windowS }) => windowS));
  const recent: number[] = [];
  let second = -1;
  let left = 0;
  return {
    nextAtMs: () => {
      while (left <= 0) {
        second += 1;
        if (second * 1000 >= durationMs) return undefined;
        left = nextArrivals(envelope, recent);
        recent.unshift(left);
        recent.length = Math.min(recent.length, longestS);
      }
      left -= 1;
      return second * 1000;
    },
  };
}

function nextArrivals(envelope: ArrivalEnvelope, recent: readonly number[]): number {
  const room = envelope.map(({ windowS, arrivals }) =>
    recent.slice(0, windowS - 1).reduce((sum, count) => sum - count, arrivals),
  );
  return Math.max(0, Math.floor(Math.min(...room)));
}
