/**
 * Guardrail memory over a restart: changes of the last hour, switches of variants, a change on trial and a back-off. Instants are those of
 * a process, whose clock restarts with it. They move on by the time that passed on the wall clock. Instants in the future and instants that
 * are too old are dropped: a clock that was set back must neither hold the loop back nor free it.
 */
import { standingBackOff } from '../../serve/rollout/trial.js';
import type { ControllerState } from '../controller-state.js';
import { isUnderTrial, type Trial } from '../guard/change-trial.js';
import { inLastHour } from '../guard/guardrails.js';
import { recentSwitches } from '../guard/switching.js';

/** Plain data, its instants on the clock of a process. */
export type GuardrailSnapshot = Pick<ControllerState, 'appliedAtMs' | 'switches' | 'trial' | 'backOff'>;

/** One instant on the clock of a process and on the wall clock. */
export interface ClockReading {
  readonly atMs: number;
  readonly atEpochMs: number;
}

/** With the moment at which it was kept. */
export interface DatedGuardrails {
  readonly guardrails: GuardrailSnapshot;
  readonly keptAt: ClockReading;
}

/** Guardrails without memory. */
export const emptyGuardrails: GuardrailSnapshot = { appliedAtMs: [], switches: [] };

/** Guardrail memory of a state; undefined if it is empty. */
export function guardrailSnapshot(state: ControllerState): GuardrailSnapshot | undefined {
  const { appliedAtMs, switches, backOff } = state;
  const trial = standingTrial(state);
  if (appliedAtMs.length + switches.length === 0 && trial === undefined && backOff === undefined) return undefined;
  return { appliedAtMs, switches, ...(trial && { trial }), ...(backOff && { backOff }) };
}

/** Does the guardrail memory differ from that of `before`? */
export function guardrailsDiffer(state: ControllerState, before: ControllerState): boolean {
  return (
    state.appliedAtMs !== before.appliedAtMs ||
    standingTrial(state) !== standingTrial(before) ||
    state.backOff !== before.backOff
  );
}

/**
 * The trial that a process leaves behind if it is killed now: the one before a change under way, which the next process does not find in
 * force. The change itself still counts, so that a change that kills the process is not tried at each start.
 */
function standingTrial({ beforeChange, trial }: ControllerState): Trial | undefined {
  return beforeChange === undefined ? trial : beforeChange.trial;
}

/** Memory of a process that has ended, on the clock of one that starts at `now`, which counts misses from 0. */
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
