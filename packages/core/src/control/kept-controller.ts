/** What of a controller is worth keeping over a restart, and a controller that goes on with it. */
import {
  ageSnapshot,
  type LearningSnapshot,
  learningSnapshot,
  resumeLearning,
} from '../forecast/learning/load-learning.js';
import { type ControllerRules, type ControllerState, newController, tickMs } from './controller.js';
import type { ServiceState } from './feedback/controller-feedback.js';
import { withoutStopped } from './feedback/edge-feedback.js';
import { type EdgeState, keptEdges } from './feedback/learned-edges.js';
import { agedByStop } from './feedback/service-feedback.js';
import { type KeptGuardrails, keptGuardrails, nothingGuarded, remembersOther } from './kept-guardrails.js';

/** Plain data; instants of the guardrails are those of the process (see `guardrailsAfterRestart`). What is missing begins anew. */
export interface KeptController {
  /** Missing where nothing was learned of the load yet. */
  readonly learning?: LearningSnapshot;
  readonly service?: ServiceState;
  readonly edges?: EdgeState;
  readonly guardrails?: KeptGuardrails;
}

/** What to keep of a state. */
export function keptController(state: ControllerState): KeptController {
  const { service, edges } = state;
  const learning = learningSnapshot(state.learning);
  const guardrails = keptGuardrails(state);
  return {
    service,
    ...(learning && { learning }),
    ...(edges && { edges: keptEdges(edges) }),
    ...(guardrails && { guardrails }),
  };
}

/**
 * What was kept, `stoppedMs` later: measurements of service times and counts of edges weigh less the longer nothing was served, and the learned
 * forecasters wait until the last values that they go by are those of now.
 */
export function agedKept({ learning, service, edges, ...kept }: KeptController, stoppedMs: number): KeptController {
  const { memories = [] } = edges ?? {};
  return {
    ...kept,
    ...(learning && { learning: ageSnapshot(learning, stoppedMs) }),
    ...(service && { service: { ...service, measured: agedByStop(service.measured, stoppedMs) } }),
    ...(edges && { edges: { ...edges, memories: memories.map((each) => withoutStopped(each, stoppedMs)) } }),
  };
}

/** A controller that begins with what was kept. */
export function resumedController(
  { learning, service, edges, guardrails }: KeptController,
  rules: ControllerRules,
): ControllerState {
  return {
    ...{ ...newController, ...guardrails },
    ...(learning && rules.learning && { learning: resumeLearning(learning, rules.learning) }),
    ...(service && { service }),
    ...(edges && { edges }),
  };
}

/** What differs between a state and the one kept last in more than some more measurements; undefined where nothing does. */
export function keptNews(state: ControllerState, before: ControllerState): KeptController | undefined {
  const { service, edges } = state;
  const learning = hasLearned(state, before) ? learningSnapshot(state.learning) : undefined;
  const news: KeptController = {
    ...(learning && { learning }),
    ...(isOther(service.corrections, before.service.corrections) && { service }),
    ...(edges && isOther(edges.inForce, before.edges?.inForce ?? []) && { edges: keptEdges(edges) }),
    ...(remembersOther(state, before) && { guardrails: keptGuardrails(state) ?? nothingGuarded }),
  };
  return Object.keys(news).length === 0 ? undefined : news;
}

function hasLearned({ learning }: ControllerState, { learning: before }: ControllerState): boolean {
  return (
    learning.fittedBins !== before.fittedBins ||
    (learning.backtest === undefined) !== (before.backtest === undefined) ||
    (learning.round === undefined) !== (before.round === undefined)
  );
}

function isOther(a: readonly object[], b: readonly object[]): boolean {
  return a !== b && JSON.stringify(a) !== JSON.stringify(b);
}

/**
 * The state behind a step whose changes are not carried out: what was learned stays, of the changes nothing is remembered, so that advice
 * neither counts as a change nor is put on trial.
 */
export function notCarriedOut(before: ControllerState, after: ControllerState): ControllerState {
  const { learning, service, edges, failures, nextPlanAtMs, planned } = after;
  return {
    ...{ ...before, learning, service },
    ...(edges && { edges }),
    ...(failures && { failures }),
    ...(nextPlanAtMs !== undefined && { nextPlanAtMs }),
    // What there is advice for already is no burst at the next look, or the same advice would be all there is.
    ...(planned && { planned }),
  };
}

/** The state where changes are carried out after there was advice alone: nobody knows what load runs is good for, so a plan is due. */
export function afterAdvice({ planned: _, ...state }: ControllerState, atMs: number): ControllerState {
  return { ...state, nextPlanAtMs: atMs };
}

/** The state behind a step that failed: a plan that was due is tried again an interval later and not at every tick. */
export function afterDefect(state: ControllerState, rules: ControllerRules, atMs: number): ControllerState {
  const { nextPlanAtMs = Number.POSITIVE_INFINITY } = state;
  const wasDue = atMs + tickMs(rules) / 2 >= nextPlanAtMs;
  return wasDue ? { ...state, nextPlanAtMs: atMs + rules.spec.control.intervalMs } : state;
}

/** The state after a person has changed what runs: what the loop did last is no longer on trial, nor what it did before a change under way. */
export function changedByHand({ trial: _, beforeChange: under, ...state }: ControllerState): ControllerState {
  if (under === undefined) return state;
  const { trial: __, ...beforeChange } = under;
  return { ...state, beforeChange };
}
