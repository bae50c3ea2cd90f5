/**
 * Why a plan is what it is, every statement found by solving with one thing changed. A core more, ten milliseconds more, a tenth more load:
 * planned anew and judged as the plan was. One stage held to the next better or the next cheaper variant: solved under the surrogate with
 * which the plan was found.
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

/** Explains a plan of `optimize` for the same problem, by simulation where the plan was verified. */
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
