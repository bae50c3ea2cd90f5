/**
 * Guardrail memory over a restart: changes of the last hour, switches, a change on trial and a back-off.
 *
 * Instants are on the clock of a process, which restarts with it. They move on by the time that passed on the wall
 * clock. Future instants and too old ones are dropped: a clock that was set back must neither block nor free the loop.
 */
import { standingBackOff } from '../../serve/rollout/trial.js';
import type { ControllerState } from '../controller-state.js';
import { isUnderTrial, type Trial } from '../guard/change-trial.js';
import { inLastHour } from '../guard/guardrails.js';
import { recentSwitches } from '../guard/switching.js';

export type GuardrailSnapshot = Pick<ControllerState, 'appliedAtMs' | 'switches' | 'trial' | 'backOff'>;

export interface ClockReading {
  readonly atMs: number;
  readonly atEpochMs: number;
}

export interface DatedGuardrails {
  readonly guardrails: GuardrailSnapshot;
  readonly keptAt: ClockReading;
}

export const emptyGuardrails: GuardrailSnapshot = { appliedAtMs: [], switches: [] };

export function guardrailSnapshot(state: ControllerState): GuardrailSnapshot | undefined {
  const { appliedAtMs, switches, backOff } = state;
  const trial = standingTrial(state);
  if (appliedAtMs.length + switches.length === 0 && trial === undefined && backOff === undefined) return undefined;
  return { appliedAtMs, switches, ...(trial && { trial }), ...(backOff && { backOff }) };
}

export function guardrailsDiffer(state: ControllerState, before: ControllerState): boolean {
  return (
    state.appliedAtMs !== before.appliedAtMs ||
    standingTrial(state) !== standingTrial(before) ||
    state.backOff !== before.backOff
  );
}

/**
 * The trial to persist: the one before a change under way, which the next process does not find in force. The change
 * still counts, so that one that kills the process is not tried at each start.
 */
function standingTrial({ beforeChange, trial }: ControllerState): Trial | undefined {
  return beforeChange === undefined ? trial : beforeChange.trial;
}

/** Memory of an ended process, on the clock of one that starts at `now` and counts misses from 0. */
export function guardrailsAfterRestart({ guardrails, keptAt }: DatedGuardrails, now: ClockReading): GuardrailSnapshot {
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
