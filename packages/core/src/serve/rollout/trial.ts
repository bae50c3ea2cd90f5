/** Trial of a change that serves all requests, and the back-off after a roll-back. */
import { doubledDelayMs } from '../../kernel/doubled-delay.js';

/** Length in ms of a trial, for the control session and for warm replicas on a cluster. */
export const TRIAL_MS = 30_000;

const BACK_OFF = { shortestMs: 60_000, longestMs: 3_600_000 };

/** No new attempt before `untilMs`, after `failures` in a row. */
export interface BackOff {
  readonly untilMs: number;
  readonly failures: number;
}

export function backOffAfter(nowMs: number, before: BackOff | undefined): BackOff {
  const failures = (before?.failures ?? 0) + 1;
  return { failures, untilMs: nowMs + doubledDelayMs(failures, BACK_OFF) };
}

/** Is the back-off in force? If it ends too far ahead, the clock was set back: ignore it. */
export function holdsBack({ untilMs, failures }: BackOff, nowMs: number): boolean {
  return nowMs < untilMs && untilMs - nowMs <= doubledDelayMs(failures, BACK_OFF);
}

/** Does a back-off count after a restart? Yes while in force, and for another hour, to lengthen the next. */
export function standingBackOff(backOff: BackOff, nowMs: number): boolean {
  return holdsBack(backOff, nowMs) || (backOff.untilMs <= nowMs && nowMs - backOff.untilMs < BACK_OFF.longestMs);
}
