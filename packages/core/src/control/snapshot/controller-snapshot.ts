/** State of a controller that outlives a restart. */
import {
  ageSnapshot,
  type LearningSnapshot,
  learningSnapshot,
  resumeLearning,
} from '../../forecast/learning/load-learning.js';
import { type ControllerState, newController } from '../controller-state.js';
import { type EdgeState, snapshotEdges, withoutStopped } from '../feedback/edge-feedback.js';
import { agedByStop, type ServiceState } from '../feedback/service-feedback.js';
import type { ControllerRules } from '../rules.js';
import { emptyGuardrails, type GuardrailSnapshot, guardrailSnapshot, guardrailsDiffer } from './guardrail-snapshot.js';

/** Missing parts start empty. Guardrail instants are on the clock of the process. */
export interface ControllerSnapshot {
  /** Missing until something was learned. */
  readonly learning?: LearningSnapshot;
  readonly service?: ServiceState;
  readonly edges?: EdgeState;
  readonly guardrails?: GuardrailSnapshot;
}

export function controllerSnapshot(state: ControllerState): ControllerSnapshot {
  const { service, edges } = state;
  const learning = learningSnapshot(state.learning);
  const guardrails = guardrailSnapshot(state);
  return {
    service,
    ...(learning && { learning }),
    ...(edges && { edges: snapshotEdges(edges) }),
    ...(guardrails && { guardrails }),
  };
}

/** Parts that differ from the last snapshot by more than some measurements; undefined if none does. */
export function snapshotDelta(state: ControllerState, before: ControllerState): ControllerSnapshot | undefined {
  const { service, edges } = state;
  const learning = hasLearned(state, before) ? learningSnapshot(state.learning) : undefined;
  const delta: ControllerSnapshot = {
    ...(learning && { learning }),
    ...(differs(service.corrections, before.service.corrections) && { service }),
    ...(edges && differs(edges.inForce, before.edges?.inForce ?? []) && { edges: snapshotEdges(edges) }),
    ...(guardrailsDiffer(state, before) && { guardrails: guardrailSnapshot(state) ?? emptyGuardrails }),
  };
  return Object.keys(delta).length === 0 ? undefined : delta;
}

/**
 * The snapshot, `stoppedMs` later. Service times and edge counts weigh less after a longer stop. Learned forecasters
 * wait until their last values are recent again.
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
  { learning, service, edges, guardrails }: ControllerSnapshot,
  rules: ControllerRules,
): ControllerState {
  return {
    ...newController,
    ...guardrails,
    ...(learning && rules.learning && { learning: resumeLearning(learning, rules.learning) }),
    ...(service && { service }),
    ...(edges && { edges }),
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
