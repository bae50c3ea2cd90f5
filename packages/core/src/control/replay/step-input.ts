/**
 * What a step of the controller takes in beside the observation, small enough to be kept with every decision. What was learned of the load,
 * of the profiles and of the edges is days of measurements; a decision depends on it only through a forecast and what is in force of the
 * rest, which stand for it here.
 */
import { learnedForecast } from '../../forecast/learning/load-learning.js';
import type { Forecast, LearnedEdge, LoadObservation } from '../../model/decision.js';
import type { PinsByStage } from '../../model/decision-record.js';
import type { ControllerState } from '../controller.js';
import type { Correction } from '../feedback/corrected-profiles.js';

/** Plain data. */
export interface StepInput {
  readonly state: Omit<ControllerState, 'learning' | 'service' | 'edges'>;
  /** What the learned methods foretold; missing where none was fitted. */
  readonly learned?: Forecast;
  readonly corrections: readonly Correction[];
  /** Fan-outs and branches that differ from the pipeline file; missing where none does, and in what was logged before they were learned. */
  readonly edges?: readonly LearnedEdge[];
  /** Those that a person has set, beside the pipeline file's. */
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
