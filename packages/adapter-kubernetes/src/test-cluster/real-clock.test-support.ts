/** Real time, for tests with real processes. */
import type { AlarmClock } from '@equipoise/core/model';

export const realClock: AlarmClock = {
  nowMs: () => performance.now(),
  ringAt(atMs, ring) {
    const timer = setTimeout(ring, Math.max(0, atMs - performance.now()));
    return () => clearTimeout(timer);
  },
};
