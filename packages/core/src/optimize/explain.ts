/**
 * Explains a plan by solving changed problems: one more core, 10 ms more, 10 % more load. Verdicts on other variants
 * come from the surrogate with a pinned variant.
 */
import { type Plan, showsSloMet } from '../model/plan.js';
import { hasQuorumChoices } from '../model/quorum.js';
import { quorumsOfPlan, specOfPlan, thresholdsOfPlan } from '../model/resolved-spec.js';
import { hasThresholdChoices } from '../model/threshold.js';
import { changedOutcome, type FoundOutcome, relaxedOutcome } from './explanation/changed-outcome.js';
import type { ExplainedPlan, VerifierAt } from './explanation/explained-plan.js';
import { feasibleRps } from './explanation/feasible-rate.js';
import type { ChangedOutcome, PlanExplanation } from './explanation/plan-explanation.js';
import { bindingStages, stageExplanations } from './explanation/stage-explanations.js';
import { optimize } from './optimize.js';
import { prepareProblem } from './options/prepared-problem.js';
import type { PlanningProblem } from './planning-problem.js';
import { isBetter } from './surrogate/objective-value.js';

export type { VerifierAt } from './explanation/explained-plan.js';
export type * from './explanation/plan-explanation.js';

type Feasible = ExplainedPlan['result'];

const LOAD_STEP = 1.1;
const SLO_STEP_MS = 10;
const ROUNDING = 1e-9;
/** Maximum number of improvements of the result. */
const MOST_IMPROVEMENTS = 4;

interface ChangedOutcomes {
  readonly oneMoreCore?: FoundOutcome;
  readonly tenMoreMs: FoundOutcome;
  readonly tenPercentMoreLoad: FoundOutcome;
}

function changedOutcomes(explained: ExplainedPlan): ChangedOutcomes {
  const { problem, prepared } = explained;
  const { slo, budget } = prepared.spec;
  const { cpuCores } = budget;
  const moreTime = { ...slo, latencyMs: slo.latencyMs + SLO_STEP_MS };
  const more = cpuCores === undefined ? undefined : { ...budget, cpuCores: cpuCores + 1 };
  return {
    ...(more === undefined ? {} : { oneMoreCore: relaxedOutcome(explained, { ...problem, budget: more }) }),
    tenMoreMs: relaxedOutcome(explained, { ...problem, slo: moreTime }),
    tenPercentMoreLoad: changedOutcome(explained, { ...problem, arrivalRps: problem.arrivalRps * LOAD_STEP }),
  };
}

/** Best result among plans of changed problems that are verified and better than the present result. */
function improvedBy({ problem, prepared, result, verifierAt }: ExplainedPlan, found: ChangedOutcomes) {
  const { spec, objective } = prepared;
  const verify = verifierAt?.(problem.arrivalRps);
  if (verify === undefined) return undefined;
  const fits = ({ predicted }: Plan): boolean =>
    predicted.cpuCores <= (spec.budget.cpuCores ?? Number.POSITIVE_INFINITY) + ROUNDING;
  const candidates = Object.values(found).flatMap(({ plan, value }: FoundOutcome) => {
    if (plan === undefined || value === undefined || !fits(plan) || isBetter(objective, result.objectiveValue, value))
      return [];
    const saves = plan.predicted.costPerHour < result.plan.predicted.costPerHour - ROUNDING;
    const gains = isBetter(objective, value, result.objectiveValue);
    return (gains || saves) && showsSloMet(verify(plan, spec.slo)) ? [plan.stages] : [];
  });
  if (candidates.length === 0) return undefined;
  const again = optimize({ ...problem, candidates: [...candidates, result.plan.stages] }, verify);
  return again.kind === 'feasible' ? again : undefined;
}

const withoutPlan = ({ plan: _, ...outcome }: FoundOutcome): ChangedOutcome => outcome;

/**
 * Explains the plan that `optimize` found for `problem`. Simulates if `verifierAt` is given. Returns `given`, or a
 * better result that a changed problem led to.
 */
export function explainPlan(
  problem: PlanningProblem,
  given: Feasible,
  verifierAt?: VerifierAt,
): { readonly result: Feasible; readonly explanation: PlanExplanation } {
  const explainedOf = (result: Feasible): ExplainedPlan => {
    const { theta, kappa } = result.certificate;
    const { stages } = result.plan;
    const omitted = problem.spec.stages.filter(({ id }) => stages[id]?.[0]?.replicas === 0);
    const prepared = prepareProblem({
      ...problem,
      spec: specOfPlan(problem.spec, stages),
      ...(omitted.length > 0 && { omitted }),
      ...(hasThresholdChoices(problem.spec) && { thresholds: thresholdsOfPlan(problem.spec, stages) }),
      ...(hasQuorumChoices(problem.spec) && { quorums: quorumsOfPlan(problem.spec, stages) }),
    });
    return { problem, prepared, result, factors: { theta, kappa }, verifierAt };
  };
  let explained = explainedOf(given);
  let found = changedOutcomes(explained);
  for (let round = 0; round < MOST_IMPROVEMENTS; round++) {
    const better = improvedBy(explained, found);
    if (better === undefined) break;
    explained = explainedOf(better);
    found = changedOutcomes(explained);
  }
  const { result } = explained;
  const stages = stageExplanations(explained);
  const { oneMoreCore, tenMoreMs, tenPercentMoreLoad } = found;
  return {
    result,
    explanation: {
      value: result.objectiveValue,
      binding: bindingStages(stages),
      ...(oneMoreCore && { oneMoreCore: withoutPlan(oneMoreCore) }),
      tenMoreMs: withoutPlan(tenMoreMs),
      tenPercentMoreLoad: withoutPlan(tenPercentMoreLoad),
      holdsUntilRps: feasibleRps(explained),
      stages,
    },
  };
}
