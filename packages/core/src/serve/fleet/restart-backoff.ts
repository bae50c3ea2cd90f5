/**
 * Delay before a lost replica is replaced: min(5 s, 0.1 s · 2^n) after n restarts in a row. It returns to 0.1 s after
 * 10 s without a loss or restart. It also does so if the lost replica had served for a second, or for as long as its
 * start took (0.1 s at least).
 */
import { doubledDelayMs } from '../../kernel/doubled-delay.js';

const DELAYS = { shortestMs: 100, longestMs: 5_000 };
const STEADY_MS = 10_000;

const SERVED_MS = 1_000;

/** True if a replica served too long for a crash loop: at least half of its time. */
export function hadServed({
  inServiceMs,
  startMs,
}: {
  readonly inServiceMs: number;
  readonly startMs: number;
}): boolean {
  return inServiceMs >= Math.min(SERVED_MS, Math.max(DELAYS.shortestMs, startMs));
}

export interface RestartHistory {
  readonly inARow: number;
  readonly lastIssueAtMs: number;
}

export const noRestarts: RestartHistory = { inARow: 0, lastIssueAtMs: Number.NEGATIVE_INFINITY };

/** Delay (ms) before the next restart, and the new history. */
export function nextRestart(
  { inARow, lastIssueAtMs }: RestartHistory,
  nowMs: number,
): { readonly delayMs: number; readonly history: RestartHistory } {
  const before = nowMs - lastIssueAtMs > STEADY_MS ? 0 : inARow;
  const delayMs = doubledDelayMs(before + 1, DELAYS);
  return { delayMs, history: { inARow: before + 1, lastIssueAtMs: nowMs } };
}

export function restartEnded(history: RestartHistory, nowMs: number): RestartHistory {
  return { ...history, lastIssueAtMs: nowMs };
}
