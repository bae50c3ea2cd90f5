/** A step taken once more from what the log has of it: the same code under the same input comes to the same decision. */
import { initialLearning } from '../../forecast/learning/load-learning.js';
import type { Forecast, Observation } from '../../model/decision.js';
import { type ControllerRules, type ControlStep, controlStep } from '../controller.js';
import { correctedRules, nothingMeasured } from '../feedback/controller-feedback.js';
import { pinnedSpec } from '../pinned-spec.js';
import type { StepInput } from './step-input.js';

/** Takes steps again. */
export type StepReplay = (input: StepInput, observation: Observation) => ControlStep;

/**
 * Replays steps that were taken by `rules`, which are those without what was learned and pinned. What is planned is remembered from step to
 * step as long as that stays the same.
 */
export function stepReplay(rules: ControllerRules): StepReplay {
  let learned: Forecast | undefined;
  let remembered: { readonly key: string; readonly rules: ControllerRules } | undefined;
  return (input, observation) => {
    const { pins = {}, corrections, edges, state } = input;
    learned = input.learned;
    const key = JSON.stringify([pins, corrections, edges]);
    if (remembered?.key !== key) {
      const { partsFor: _, learning: __, ...fixed } = correctedRules(rules, input);
      const spec = pinnedSpec(fixed.spec, pins);
      remembered = { key, rules: { ...fixed, spec, foretell: () => learned } };
    }
    const before = {
      ...{ ...state, learning: initialLearning, service: nothingMeasured },
      ...(edges && { edges: { memories: [], inForce: edges } }),
    };
    return controlStep(remembered.rules, before, observation);
  };
}
