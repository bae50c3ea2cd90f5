/** Trial of a change after it serves all requests, and back-off after a roll-back. */
import { doubledDelayMs } from '../../kernel/doubled-delay.js';

/** Length in ms of a trial, for the control session and for warm replicas on a cluster. */
export const TRIAL_MS = 30_000;

const BACK_OFF = { shortestMs: 60_000, longestMs: 3_600_000 };

/** After `failures` in a row, no new attempt before `untilMs`. */
export interface BackOff {
  readonly untilMs: number;
  readonly failures: number;
}

export function backOffAfter(nowMs: number, before: BackOff | undefined): BackOff {
  const failures = (before?.failures ?? 0) + 1;
  return { failures, untilMs: nowMs + doubledDelayMs(failures, BACK_OFF) };
}

/** True if the back-off is in force. One that ends too far ahead (clock set back) is ignored. */
export function holdsBack({ untilMs, failures }: BackOff, nowMs: number): boolean {
  return nowMs < untilMs && untilMs - nowMs <= doubledDelayMs(failures, BACK_OFF);
}

/** True if a back-off counts after a restart: while in force, and for an hour after it, to make the next one longer. */
export function standingBackOff(backOff: BackOff, nowMs: number): boolean {
  return holdsBack(backOff, nowMs) || (backOff.untilMs <= nowMs && nowMs - backOff.untilMs < BACK_OFF.longestMs);
}
