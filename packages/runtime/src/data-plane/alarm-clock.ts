/**
 * Time of the data plane: a monotonic clock with alarms. Node's timers may fire up to a millisecond before
 * `performance.now` reaches the instant, so an alarm waits for the rest.
 */
import type { AlarmClock } from '@equipoise/core/model';

const LONGEST_TIMER_MS = 2 ** 31 - 1;

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
