/**
 * The worst trace that respects a traffic envelope: as many requests as its windows admit, as early as they admit them, again and again.
 *
 * Time goes in whole seconds and what a second admits arrives at its beginning, so any window of w s holds what w neighbouring seconds do.
 * Second k gets a(k) = min over the windows of [E(w) − a(k−1) − … − a(k−w+1)]. Of all traces within the envelope none has had more
 * arrivals by any instant (traces within an envelope are closed under the maximum; Le Boudec and Thiran, Network Calculus, 2001, §1.2).
 * Nothing is drawn at random. In the long run the longest window is full: its count ÷ its length is the rate.
 */
import type { ArrivalEnvelope } from '../../model/expected-load.js';
import type { ArrivalProcess } from './constant-rate.js';

/** Arrivals that fill `envelope` (whole seconds and requests; at least one window) until `durationMs`. */
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

/** What the next second admits after the `recent` ones, newest first. */
function nextArrivals(envelope: ArrivalEnvelope, recent: readonly number[]): number {
  const room = envelope.map(({ windowS, arrivals }) =>
    recent.slice(0, windowS - 1).reduce((sum, count) => sum - count, arrivals),
  );
  return Math.max(0, Math.floor(Math.min(...room)));
}
