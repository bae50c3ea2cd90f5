/** Entry `@equipoise/core/control`: decisions from observations. */
export type {
  ObservingPolicy,
  PolicyObservation,
} from './control/baselines/observing-policy.js';
export { type OwnPolicy, ownPolicy, readOwnPolicy } from './control/baselines/own-policy.js';
export { observedPlan, replicaCounts, simulateObserving } from './control/baselines/simulate-observing.js';
export { isSameSpec, needsRestart } from './control/changeable-spec.js';
export {
  agedSnapshot,
  type ClockReading,
  type ControllerSnapshot,
  type DatedGuardrails,
  guardrailsAfterRestart,
} from './control/controller-snapshot.js';
export { diffPlans, diffUnderWay } from './control/diff-plans.js';
export { type BatchKind, BatchRecord } from './control/feedback/batch-record.js';
export { correctedProfiles } from './control/feedback/profile-feedback.js';
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
export { isSamePlan, planOfStages, runningAsPlan } from './control/plan-facts.js';
export { changesToApply, detectBurst } from './control/protect.js';
export {
  type ControlContext,
  type ControllerRules,
  type ControlPolicy,
  controlPolicies,
  usualGuardrails,
} from './control/rules.js';
export {
  ControlSession,
  type LaterObservation,
  type StepInput,
  type Tick,
  type TickAnswer,
} from './control/session.js';
export { arrivalRng, firstPlan, simulateControl } from './control/simulate-control.js';
export { type Quiet, tickMs } from './control/step.js';
export { decisionProblem, type StepReplay, stepReplay } from './control/step-replay.js';
