/** The question to the planner behind a decision of the slow loop, put together again from what the log has of it. */
import type { Observation } from '../../model/decision.js';
import type { ExpectedLoad } from '../../model/expected-load.js';
import type { PlanningProblem } from '../../optimize/planning-problem.js';
import type { ControllerRules } from '../controller.js';
import { correctedRules } from '../feedback/controller-feedback.js';
import { pinnedSpec } from '../pinned-spec.js';
import type { StepInput } from './step-input.js';

/** What a decision rested on. */
export interface RecordedQuestion {
  readonly input: StepInput;
  readonly observation: Observation;
  /** `evidence.load` of the decision. */
  readonly load: ExpectedLoad;
}

/** The problem with what was learned and pinned at that moment; `rules` are those without. */
export function decisionProblem(
  rules: ControllerRules,
  { input, observation, load }: RecordedQuestion,
): PlanningProblem {
  const { pins = {} } = input;
  const { profiles, spec } = correctedRules(rules, input);
  const { arrivalRps, burstiness } = load;
  return {
    ...{ spec: pinnedSpec(spec, pins), profiles, arrivalRps, estimator: 'distribution' },
    runningPlan: observation.runningPlan,
    ...(burstiness && { burstiness }),
  };
}
