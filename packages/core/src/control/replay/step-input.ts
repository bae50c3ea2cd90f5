/**
 * Input of a step besides the observation, small enough to log. Days of measurements affect a decision only through the
 * forecast, corrections and learned edges kept here.
 */
import { learnedForecast } from '../../forecast/learning/load-learning.js';
import type { Forecast, LearnedEdge, LoadObservation } from '../../model/decision.js';
import type { DecisionTrigger, PinsByStage } from '../../model/decision-record.js';
import type { ControllerState } from '../controller-state.js';
import type { Correction } from '../feedback/service-feedback.js';
import type { ControlStep } from '../step.js';

export interface StepInput {
  readonly state: Omit<ControllerState, 'learning' | 'service' | 'edges'>;
  /** Missing before a learned method was fitted. */
  readonly learned?: Forecast;
  readonly corrections: readonly Correction[];
  /** Fan-outs and branches that differ from the pipeline file; missing in old logs. */
  readonly edges?: readonly LearnedEdge[];
  /** Manual pins, in addition to the pipeline file's. */
  readonly pins?: PinsByStage;
}

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

export function stepTrigger(before: ControllerState, { state, decision }: ControlStep): DecisionTrigger {
  if (decision?.evidence.burst !== undefined) return 'burst';
  return decision?.kind === 'apply' && state.backOff !== undefined && state.backOff !== before.backOff
    ? 'roll-back'
    : 'plan';
}
