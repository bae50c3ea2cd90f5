/**
 * Input of a step besides the observation, small enough to be logged with every decision. Days of measurements affect a decision only
 * through a forecast, the corrections and the learned edges, which stand for them here.
 */
import { learnedForecast } from '../../forecast/learning/load-learning.js';
import type { Forecast, LearnedEdge, LoadObservation } from '../../model/decision.js';
import type { DecisionTrigger, PinsByStage } from '../../model/decision-record.js';
import type { ControllerState } from '../controller-state.js';
import type { Correction } from '../feedback/service-feedback.js';
import type { ControlStep } from '../step.js';

/** Plain data. */
export interface StepInput {
  readonly state: Omit<ControllerState, 'learning' | 'service' | 'edges'>;
  /** Forecast of the learned methods; missing before one was fitted. */
  readonly learned?: Forecast;
  readonly corrections: readonly Correction[];
  /** Fan-outs and branches that differ from the pipeline file; missing if none does, and in old logs. */
  readonly edges?: readonly LearnedEdge[];
  /** Pins of a person, in addition to the pipeline file's. */
  readonly pins?: PinsByStage;
}

/** The input of a step from the states before and after it. */
export function stepInput(
  { learning: _, service: __, edges: ___, ...state }: ControllerState,
  after: ControllerState,
  { load, pins }: { readonly load: LoadObservation; readonly pins?: PinsByStage },
): StepInput {
  const learned = learnedForecast(after.learning, load);
  const { inForce: edges = [] } = after.edges ?? {};
  return {
    state,
    corrections: after.service.corrections,
    ...(learned && { learned }),
    ...(edges.length > 0 && { edges }),
    ...(pins && Object.keys(pins).length > 0 && { pins }),
  };
}

/** The trigger of the decision of a step. */
export function stepTrigger(before: ControllerState, { state, decision }: ControlStep): DecisionTrigger {
  if (decision?.evidence.burst !== undefined) return 'burst';
  return decision?.kind === 'apply' && state.backOff !== undefined && state.backOff !== before.backOff
    ? 'roll-back'
    : 'plan';
}
