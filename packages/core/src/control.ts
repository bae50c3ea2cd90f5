/** Entry `@equipoise/core/control`: from observation to decision. */
export { type BatchKind, BatchRecord } from './control/batch-record.js';
export { isSameSpec, needsRestart } from './control/changeable-spec.js';
export { controlPolicies } from './control/control-policy.js';
export {
  type ControllerRules,
  type ControllerState,
  controlStep,
  learnBetween,
  newController,
  rulesInForce,
  tickMs,
  wouldProtect,
} from './control/controller.js';
export { diffPlans } from './control/diff-plans.js';
export { correctedProfiles } from './control/feedback/corrected-profiles.js';
export { arrivalRng, firstPlan } from './control/first-plan.js';
export { usualGuardrails } from './control/guardrails.js';
export {
  afterAdvice,
  afterDefect,
  agedKept,
  changedByHand,
  type KeptController,
  keptController,
  keptNews,
  notCarriedOut,
  resumedController,
} from './control/kept-controller.js';
export { type ClockReading, type DatedGuardrails, guardrailsAfterRestart } from './control/kept-guardrails.js';
export type { ControlContext, PlanningTarget } from './control/on-tick.js';
export {
  brokenPins,
  pinnedSpec,
  pinObjection,
  pinsObjection,
  planObjection,
  profileObjection,
  unprofiledPins,
  withVariantResources,
} from './control/pinned-spec.js';
export { planOfStages, planThatRuns, variantChoice } from './control/plan-that-runs.js';
export { decisionProblem } from './control/replay/decision-problem.js';
export { type StepReplay, stepReplay } from './control/replay/replay-step.js';
export { type StepInput, stepInput } from './control/replay/step-input.js';
export { stepTrigger } from './control/replay/step-trigger.js';
export { simulateControl } from './control/simulate-control.js';
