/**
 * What the guardrails remember, over a restart: the changes of the last hour, switches of variants, a change on trial and a back-off. Instants
 * are those of a process, which begin anew with it; they go on by what has passed on the wall clock meanwhile. What would then lie in the
 * future, or is too old to count, is left out: a clock that was set to and fro must neither hold the loop back nor free it.
 */

import { standingBackOff } from '../serve/rollout/trial.js';
import type { ControllerState } from './controller.js';
import { inLastHour } from './guardrails.js';
import { isUnderTrial, type Trial } from './slo-burn.js';
import { recentSwitches } from './switch-history.js';

/** Plain data, its instants on the clock of a process. */
export type KeptGuardrails = Pick<ControllerState, 'appliedAtMs' | 'switches' | 'trial' | 'backOff'>;

/** One instant on the clock of a process and on the wall clock. */
export interface ClockReading {
  readonly atMs: number;
  readonly atEpochMs: number;
}

/** With the moment at which it was kept. */
export interface DatedGuardrails {
  readonly guardrails: KeptGuardrails;
  readonly keptAt: ClockReading;
}

/** What guardrails remember that have seen nothing. */
export const nothingGuarded: KeptGuardrails = { appliedAtMs: [], switches: [] };

/** What the guardrails remember of a state; undefined where that is nothing. */
export function keptGuardrails(state: ControllerState): KeptGuardrails | undefined {
  const { appliedAtMs, switches, backOff } = state;
  const trial = standingTrial(state);
  if (appliedAtMs.length + switches.length === 0 && trial === undefined && backOff === undefined) return undefined;
  return { appliedAtMs, switches, ...(trial && { trial }), ...(backOff && { backOff }) };
}

/** Whether the guardrails remember something else than before. */
export function remembersOther(state: ControllerState, before: ControllerState): boolean {
  return (
    state.appliedAtMs !== before.appliedAtMs ||
    standingTrial(state) !== standingTrial(before) ||
    state.backOff !== before.backOff
  );
}

/**
 * The trial that a process which is killed now leaves behind: that of before while a change is under way, which the next process does not find
 * in force. As a change that one counts all the same, lest it be tried at each start where it is what kills the process.
 */
function standingTrial({ beforeChange, trial }: ControllerState): Trial | undefined {
  return beforeChange === undefined ? trial : beforeChange.trial;
}

/** What was kept by a process that has ended, on the clock of one that begins at `now`; that counts what is missed anew. */
export function guardrailsAfterRestart({ guardrails, keptAt }: DatedGuardrails, now: ClockReading): KeptGuardrails {
  const byMs = now.atMs - now.atEpochMs - (keptAt.atMs - keptAt.atEpochMs);
  const { appliedAtMs, switches, trial, backOff } = guardrails;
  const moved = trial && { ...trial, sinceMs: trial.sinceMs + byMs, missedAtStart: 0 };
  const movedBackOff = backOff && { ...backOff, untilMs: backOff.untilMs + byMs };
  return {
    appliedAtMs: inLastHour(
      appliedAtMs.map((atMs) => atMs + byMs),
      now.atMs,
    ),
    switches: recentSwitches(
      switches.map((each) => ({ ...each, atMs: each.atMs + byMs })),
      now.atMs,
    ),
    ...(moved && isUnderTrial(moved, now.atMs) && { trial: moved }),
    ...(movedBackOff && standingBackOff(movedBackOff, now.atMs) && { backOff: movedBackOff }),
  };
}
