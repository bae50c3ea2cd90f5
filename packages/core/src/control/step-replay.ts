/** Replays steps from a log: equal code and input give the same decision. */
import { initialLearning } from '../forecast/learning/load-learning.js';
import type { Decision, Forecast, Observation } from '../model/decision.js';
import type { ExpectedLoad } from '../model/expected-load.js';
import type { PlanningProblem } from '../optimize/planning-problem.js';
import { nothingMeasured } from './feedback/profile-feedback.js';
import { pinnedSpec } from './pinned-spec.js';
import type { ControllerRules } from './rules.js';
import { ControlSession, type StepInput } from './session.js';
import { correctedRules } from './situation.js';

export type StepReplay = (input: StepInput, observation: Observation) => Decision | undefined;

/** Replays steps taken with `rules`, which must lack feedback and pins. */
export function stepReplay(rules: ControllerRules): StepReplay {
  let learned: Forecast | undefined;
  let remembered: { readonly key: string; readonly session: ControlSession } | undefined;
  return (input, observation) => {
    const { pins = {}, corrections, edges, starts: times = [], state } = input;
    learned = input.learned;
    // The counts behind a learned edge change no rule.
    const values = edges?.map(({ edge, kind, variantId, upstream, value }) => [edge, kind, variantId, upstream, value]);
    const key = JSON.stringify([pins, corrections, values]);
    if (remembered?.key !== key) {
      const { partsFor: _, learning: __, ...fixed } = correctedRules(rules, input);
      remembered = { key, session: new ControlSession({ ...fixed, recordedForecast: () => learned }) };
    }
    const { session } = remembered;
    session.restore({
      ...state,
      learning: initialLearning,
      service: nothingMeasured,
      starts: { startingSinceMs: {}, times },
      ...(edges && { edges: { memories: [], inForce: edges } }),
    });
    return session.tick({ observation, pins, executes: true }).decision;
  };
}

export interface RecordedQuestion {
  readonly input: StepInput;
  readonly observation: Observation;
  /** `evidence.load` of the decision. */
  readonly load: ExpectedLoad;
}

/** Planning problem of a decision, with its feedback and pins, which `rules` must lack. */
export function decisionProblem(
  rules: ControllerRules,
  { input, observation, load }: RecordedQuestion,
): PlanningProblem {
  const { profiles, spec } = correctedRules(rules, input);
  const { arrivalRps, burstiness } = load;
  return {
    spec: pinnedSpec(spec, input.pins ?? {}),
    profiles,
    arrivalRps,
    estimator: 'distribution',
    runningPlan: observation.runningPlan,
    ...(burstiness && { burstiness }),
  };
}
