/**
 * Time of the data plane: a monotonic clock that can also ring. An alarm never rings early: Node's timers may fire up to a
 * millisecond before the instant that `performance.now` shows, so what is left then is waited for again.
 */
import type { AlarmClock } from '@equipoise/core/model';

const LONGEST_TIMER_MS = 2 ** 31 - 1;

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
