/**
 * Explains a plan by solving changed problems: one core, 10 ms or 10 % load more, or a stage held to the next better or
 * cheaper variant (under the plan's surrogate).
 */
import { changedOutcome, relaxedOutcome } from './explanation/changed-outcome.js';
import type { ExplainedPlan, VerifierAt } from './explanation/explained-plan.js';
import { feasibleRps } from './explanation/feasible-rate.js';
import type { PlanExplanation } from './explanation/plan-explanation.js';
import { bindingStages, stageExplanations } from './explanation/stage-explanations.js';
import { prepareProblem } from './options/prepared-problem.js';
import type { PlanningProblem } from './planning-problem.js';

export type { VerifierAt } from './explanation/explained-plan.js';
export type * from './explanation/plan-explanation.js';

const LOAD_STEP = 1.1;
const SLO_STEP_MS = 10;

/** Explains a plan of `optimize` for the same problem; simulates if the plan was verified. */
export function explainPlan(
  problem: PlanningProblem,
  result: ExplainedPlan['result'],
  verifierAt?: VerifierAt,
): PlanExplanation {
  const prepared = prepareProblem(problem);
  const { theta, kappa } = result.certificate;
  const explained: ExplainedPlan = { problem, prepared, result, factors: { theta, kappa }, verifierAt };
  const { slo, budget } = prepared.spec;
  const { cpuCores } = budget;
  const stages = stageExplanations(explained);
  const moreTime = { ...slo, latencyMs: slo.latencyMs + SLO_STEP_MS };
  const more = cpuCores === undefined ? undefined : { ...budget, cpuCores: cpuCores + 1 };
  return {
    value: result.objectiveValue,
    binding: bindingStages(stages),
    ...(more === undefined ? {} : { oneMoreCore: relaxedOutcome(explained, { ...problem, budget: more }) }),
    tenMoreMs: relaxedOutcome(explained, { ...problem, slo: moreTime }),
    tenPercentMoreLoad: changedOutcome(explained, { ...problem, arrivalRps: problem.arrivalRps * LOAD_STEP }),
    holdsUntilRps: feasibleRps(explained),
    stages,
  };
}
