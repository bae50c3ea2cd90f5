/** Entry `@equipoise/core/plan`: profiles, latency estimates and the planner. */
export { pipelineAccuracy } from './estimate/pas.js';
export { combinationCosts } from './evaluate/combination-costs.js';
export { CombinationRace } from './evaluate/combination-race.js';
export { interactionModel } from './evaluate/interaction-model.js';
export { explainPlan } from './optimize/explain.js';
export type { VerifierAt } from './optimize/explanation/explained-plan.js';
export type {
  ChangedOutcome,
  PlanExplanation,
  RejectedVariant,
  StageExplanation,
} from './optimize/explanation/plan-explanation.js';
export { type Frontier, frontier } from './optimize/frontier.js';
export { optimize } from './optimize/optimize.js';
export {
  problemOfRouter,
  resultOfRouters,
  routerCapacityRps,
  routersFor,
  splitFor,
} from './optimize/plan-routers.js';
export type { Estimator, PlanningProblem, Policy, VerifyPlan } from './optimize/planning-problem.js';
export { type PolicyName, policies } from './optimize/policies.js';
export { type FreeQuantity, type PlanningQuestion, type Recommendation, recommend } from './optimize/recommend.js';
export { estimateStages } from './optimize/search/estimate-stages.js';
export { isServiceCorrection } from './profile/corrected-service.js';
export { fullSpeedMs } from './profile/cpu-quota.js';
export { fitCorrections, type TimedBatch } from './profile/fit-corrections.js';
export { fitThreadCost, type TurnInterval } from './profile/fit-thread-cost.js';
export { type MonotoneFit, monotoneFit } from './profile/monotone-fit.js';
export { profileEvidence } from './profile/profile-evidence.js';
export { usableCores } from './profile/recent-use.js';
export { scaledPoint, scaleProfile } from './profile/scale-profile.js';
export { capacityRps, curvesOf, requireCurves, type ServiceCurves } from './profile/service-curves.js';
export { drawMs, lawOfPoint } from './profile/service-law.js';
