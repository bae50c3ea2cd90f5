/**
 * How long to wait before a lost replica is replaced: min(5 s, 0.1 s · 2^n) after n restarts in a row. A stage that has been
 * steady for 10 s starts anew at 0.1 s, and so does one whose lost replica had served for a second: that is no loop of crashes. So a
 * crash costs little and a crash loop does not eat the machine.
 */
import { doubledDelayMs } from '../../kernel/doubled-delay.js';

const DELAYS = { shortestMs: 100, longestMs: 5_000 };
const STEADY_MS = 10_000;

const SERVED_MS = 1_000;

/** Whether a replica that was in service for so long is not lost to a crash loop. */
export function hadServed(inServiceMs: number): boolean {
  return inServiceMs >= SERVED_MS;
}

/** The restarts of one stage so far: how many in a row, and the instant from which steadiness counts. */
export interface RestartHistory {
  readonly inARow: number;
  readonly lastTroubleAtMs: number;
}

/** A stage without trouble. */
export const noRestarts: RestartHistory = { inARow: 0, lastTroubleAtMs: Number.NEGATIVE_INFINITY };

/** Delay (ms) before the next restart, decided at `nowMs`, and the history with it. */
export function nextRestart(
  { inARow, lastTroubleAtMs }: RestartHistory,
  nowMs: number,
): { readonly delayMs: number; readonly history: RestartHistory } {
  const before = nowMs - lastTroubleAtMs > STEADY_MS ? 0 : inARow;
  const delayMs = doubledDelayMs(before + 1, DELAYS);
  return { delayMs, history: { inARow: before + 1, lastTroubleAtMs: nowMs } };
}

/** The history after a restart has ended, well or not. */
export function restartEnded(history: RestartHistory, nowMs: number): RestartHistory {
  return { ...history, lastTroubleAtMs: nowMs };
}
