/**
 * Controller state that survives a restart: learned values and guardrail memory.
 *
 * Guardrail times use the process clock, which starts at 0. A restart shifts them by the wall-clock time between both
 * process starts.
 */
import {
  ageSnapshot,
  type LearningSnapshot,
  learningSnapshot,
  resumeLearning,
} from '../forecast/learning/load-learning.js';
import type { StartTimes } from '../model/decision.js';
import { standingBackOff } from '../serve/rollout/trial.js';
import { type ControllerState, newController } from './controller-state.js';
import { type EdgeState, snapshotEdges } from './feedback/edge-feedback.js';
import { withoutStopped } from './feedback/edge-memory.js';
import { agedByStop, type ServiceState } from './feedback/profile-feedback.js';
import { isUnderTrial, type Trial } from './guard/change-trial.js';
import { inLastHour } from './guard/guardrails.js';
import { recentSwitches } from './guard/switching.js';
import type { ControllerRules } from './rules.js';

export type GuardrailSnapshot = Pick<ControllerState, 'appliedAtMs' | 'switches' | 'trial' | 'backOff'>;

export interface ClockReading {
  readonly atMs: number;
  readonly atEpochMs: number;
}

export interface DatedGuardrails {
  readonly guardrails: GuardrailSnapshot;
  readonly keptAt: ClockReading;
}

/** Absent parts start empty. */
export interface ControllerSnapshot {
  /** Absent until something is learned. */
  readonly learning?: LearningSnapshot;
  readonly service?: ServiceState;
  readonly edges?: EdgeState;
  /** Start times; absent until a replica has started. */
  readonly starts?: readonly StartTimes[];
  readonly guardrails?: GuardrailSnapshot;
}

export function controllerSnapshot(state: ControllerState): ControllerSnapshot {
  const { service, edges, starts } = state;
  const learning = learningSnapshot(state.learning);
  const guardrails = guardrailSnapshot(state);
  return {
    service,
    ...(learning && { learning }),
    ...(edges && { edges: snapshotEdges(edges) }),
    ...(starts.times.length > 0 && { starts: starts.times }),
    ...(guardrails && { guardrails }),
  };
}

/** Parts that changed since the last snapshot; new measurements alone do not count. Undefined if none changed. */
export function snapshotDelta(state: ControllerState, before: ControllerState): ControllerSnapshot | undefined {
  const { service, edges, starts } = state;
  const learning = hasLearned(state, before) ? learningSnapshot(state.learning) : undefined;
  const delta: ControllerSnapshot = {
    ...(learning && { learning }),
    ...(differs(service.corrections, before.service.corrections) && { service }),
    ...(edges && differs(edges.inForce, before.edges?.inForce ?? []) && { edges: snapshotEdges(edges) }),
    ...(starts.times.length > before.starts.times.length && { starts: starts.times }),
    ...(guardrailsDiffer(state, before) && {
      guardrails: guardrailSnapshot(state) ?? { appliedAtMs: [], switches: [] },
    }),
  };
  return Object.keys(delta).length === 0 ? undefined : delta;
}

/**
 * The snapshot after a stop of `stoppedMs`. The longer the stop, the less service times and edge counts weigh. Learned
 * forecasts pause until their inputs are recent again.
 */
export function agedSnapshot(
  { learning, service, edges, ...kept }: ControllerSnapshot,
  stoppedMs: number,
): ControllerSnapshot {
  const { memories = [] } = edges ?? {};
  return {
    ...kept,
    ...(learning && { learning: ageSnapshot(learning, stoppedMs) }),
    ...(service && { service: { ...service, measured: agedByStop(service.measured, stoppedMs) } }),
    ...(edges && { edges: { ...edges, memories: memories.map((each) => withoutStopped(each, stoppedMs)) } }),
  };
}

export function resumeController(
  { learning, service, edges, starts, guardrails }: ControllerSnapshot,
  rules: ControllerRules,
): ControllerState {
  return {
    ...newController,
    ...guardrails,
    ...(learning && rules.learning && { learning: resumeLearning(learning, rules.learning) }),
    ...(service && { service }),
    ...(edges && { edges }),
    ...(starts && { starts: { startingSinceMs: {}, times: starts } }),
  };
}

function hasLearned({ learning }: ControllerState, { learning: before }: ControllerState): boolean {
  return (
    learning.fittedBins !== before.fittedBins ||
    (learning.backtest === undefined) !== (before.backtest === undefined) ||
    (learning.round === undefined) !== (before.round === undefined)
  );
}

function differs(a: readonly object[], b: readonly object[]): boolean {
  return a !== b && JSON.stringify(a) !== JSON.stringify(b);
}

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
 * The trial to persist. During a change: the trial before it, because a restart loses the change. The change still
 * counts toward the hourly limit, which bounds the retries of a change that kills the process.
 */
function standingTrial({ beforeChange, trial }: ControllerState): Trial | undefined {
  return beforeChange === undefined ? trial : beforeChange.trial;
}

/** Guardrails of the previous process, shifted to the clock that now reads `now`. Missed requests count from 0. */
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
