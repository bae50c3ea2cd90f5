/**
 * Time of the data plane: a monotonic clock with alarms. Node's timers may fire up to a millisecond before
 * `performance.now` reaches the instant; an alarm waits for the remaining time. An alarm fires after all events that
 * have already arrived: an answer that waits in a busy thread must not count as late.
 */
import type { AlarmClock } from '@equipoise/core/model';

const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const monotonicClock: AlarmClock = {
  nowMs: () => performance.now(),
  ringAt: (atMs, ring) => {
    let timer: NodeJS.Timeout;
    let ringing: NodeJS.Immediate | undefined;
    const wait = () => {
      // Node 24 warns of a negative time.
      const leftMs = Math.max(1, Math.ceil(atMs - performance.now()));
      timer = setTimeout(due, Math.min(leftMs, LONGEST_TIMER_MS));
    };
    const due = () => {
      if (performance.now() < atMs) wait();
      else ringing = setImmediate(ring);
    };
    wait();
    return () => {
      clearTimeout(timer);
      clearImmediate(ringing);
    };
  },
};
