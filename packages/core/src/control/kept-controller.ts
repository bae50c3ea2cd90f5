/** What of a controller is worth keeping over a restart, and a controller that goes on with it. */
import { type KeptLearning, keptLearning, resumedLearning } from '../forecast/learning/load-learning.js';
import { type ControllerRules, type ControllerState, newController } from './controller.js';
import type { ServiceState } from './feedback/controller-feedback.js';

/** Instants are those of a process and are not kept: dwell, trial and back-off begin anew. */
export interface KeptController {
  /** Missing where nothing was learned of the load yet. */
  readonly learning?: KeptLearning;
  readonly service?: ServiceState;
}

/** What to keep of a state. */
export function keptController({ learning, service }: ControllerState): KeptController {
  const learned = keptLearning(learning);
  return { service, ...(learned && { learning: learned }) };
}

/** A controller that begins with what was kept. */
export function resumedController({ learning, service }: KeptController, rules: ControllerRules): ControllerState {
  return {
    ...newController,
    ...(learning && rules.learning && { learning: resumedLearning(learning, rules.learning) }),
    ...(service && { service }),
  };
}

/** Whether a state differs from the one kept last in more than some more measurements. */
export function isNews(state: ControllerState, kept: ControllerState): boolean {
  return (
    (state.service.corrections !== kept.service.corrections &&
      JSON.stringify(state.service.corrections) !== JSON.stringify(kept.service.corrections)) ||
    state.learning.fittedBins !== kept.learning.fittedBins ||
    (state.learning.backtest === undefined) !== (kept.learning.backtest === undefined) ||
    (state.learning.round === undefined) !== (kept.learning.round === undefined)
  );
}

/**
 * The state behind a step whose changes are not carried out: what was learned stays, of the changes nothing is remembered, so that advice
 * neither counts as a change nor is put on trial.
 */
export function notCarriedOut(before: ControllerState, after: ControllerState): ControllerState {
  const { learning, service, nextPlanAtMs } = after;
  return { ...before, learning, service, ...(nextPlanAtMs !== undefined && { nextPlanAtMs }) };
}

/** The state after a person has changed what runs: what the loop did last is no longer on trial. */
export function changedByHand({ trial: _, ...state }: ControllerState): ControllerState {
  return state;
}
