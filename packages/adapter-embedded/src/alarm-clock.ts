/** Real time as an argument, so that tests need not wait. */
import type { AlarmClock } from '@equipoise/core/model';

const coarseMs = 1;

/**
 * Alarms that are never early and hardly late. A timer waits until the last millisecond; then the clock is polled
 * between other work. An alarm keeps the process alive.
 */
export const preciseClock: AlarmClock = {
  nowMs: () => performance.now(),
  ringAt: (atMs, ring) => {
    let cancel = (): void => {};
    const soon = (): void => {
      const immediate = setImmediate(step);
      cancel = () => clearImmediate(immediate);
    };
    const step = (): void => {
      const leftMs = atMs - performance.now();
      if (leftMs <= 0) {
        ring();
      } else if (leftMs > coarseMs) {
        const timeout = setTimeout(step, leftMs - coarseMs);
        cancel = () => clearTimeout(timeout);
      } else {
        soon();
      }
    };
    soon();
    return () => cancel();
  },
};

export const sleep = (clock: AlarmClock, durationMs: number): Promise<void> =>
  new Promise((resolve) => {
    clock.ringAt(clock.nowMs() + durationMs, resolve);
  });
