/** What called for a decision of the controller, told from the step that it came of. */
import type { DecisionTrigger } from '../../model/decision-record.js';
import type { ControllerState, ControlStep } from '../controller.js';

/** The trigger of the decision of `step`. */
export function stepTrigger(before: ControllerState, { state, decision }: ControlStep): DecisionTrigger {
  if (decision?.evidence.burst !== undefined) return 'burst';
  return decision?.kind === 'apply' && state.backOff !== undefined && state.backOff !== before.backOff
    ? 'roll-back'
    : 'plan';
}
