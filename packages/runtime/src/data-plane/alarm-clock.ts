/**
 * Time of the data plane: a monotonic clock that can also ring. An alarm never rings early: Node's timers may fire up to a
 * millisecond before the instant that `performance.now` shows, so what is left then is waited for again.
 */
import type { Clock } from '@equipoise/core';

const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** A clock with alarms; tests put a manual one in its place. */
export interface AlarmClock extends Clock {
  /** Calls `ring` once, not before `atMs` and never inside this call; the returned function takes the alarm back. */
  ringAt(atMs: number, ring: () => void): () => void;
}

/** Real time from `performance.now` and `setTimeout`. */
export const monotonicClock: AlarmClock = {
  nowMs: () => performance.now(),
  ringAt: (atMs, ring) => {
    let timer: NodeJS.Timeout;
    const wait = () => {
      timer = setTimeout(
        () => (performance.now() >= atMs ? ring() : wait()),
        Math.min(Math.ceil(atMs - performance.now()), LONGEST_TIMER_MS),
      );
    };
    wait();
    return () => clearTimeout(timer);
  },
};
