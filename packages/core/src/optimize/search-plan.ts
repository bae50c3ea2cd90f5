/**
 * Finds the best plan of a problem, or says that there is none. With `verify` the plan was simulated; without, the estimate of the whole
 * graph stands in for the simulation. The sum-of-tails surrogate is a claim of its own: it is solved once and not adjusted.
 */
import type { Plan } from '../model/plan.js';
import { leastLatencyChoice } from './least-latency.js';
import { objectiveValue } from './objective-value.js';
import { planOf } from './plan-of.js';
import type { PlanningProblem, VerifyPlan } from './planning-problem.js';
import { type PlanningSetting, planningSetting } from './planning-setting.js';
import { solve } from './solve.js';
import { surrogateProblem } from './surrogate.js';
import { type SearchOutcome, verifiedSearch } from './verified-search.js';

const TAILS = { theta: 1, kappa: 1 };

/** Takes the estimate for the truth. */
const estimated: VerifyPlan = ({ predicted }, slo) => ({
  latencyMs: predicted.latencyMs,
  percentile: slo.percentile,
  sloAttainmentFraction: predicted.latencyMs <= slo.latencyMs ? 1 : 0,
  conclusive: true,
  seeds: [],
});

function withoutVerification(plan: Plan): Plan {
  return { stages: plan.stages, predicted: plan.predicted };
}

function solvedOnce(setting: PlanningSetting, verify: VerifyPlan | undefined): SearchOutcome {
  const problem = surrogateProblem(setting, TAILS);
  const solution = solve(problem);
  const { choice, labels } = solution;
  const toPlan = (options: NonNullable<typeof choice>): Plan => {
    const plan = planOf(
      setting,
      options.map((o) => o.option),
    );
    return verify === undefined ? plan : { ...plan, verified: verify(plan, setting.spec.slo) };
  };
  if (choice === undefined) {
    const fastest = leastLatencyChoice(problem);
    return { kind: 'none', ...(fastest === undefined ? {} : { fastest: toPlan(fastest) }), labels };
  }
  const value = objectiveValue(setting.objective, setting.accuracy, choice);
  const found = { plan: toPlan(choice), choice, solution, factors: TAILS, value, fellBack: false };
  return { kind: 'found', found, labels };
}

function searchByEstimate(setting: PlanningSetting): SearchOutcome {
  const outcome = verifiedSearch(setting, estimated);
  if (outcome.kind === 'found') {
    return { ...outcome, found: { ...outcome.found, plan: withoutVerification(outcome.found.plan) } };
  }
  const { fastest } = outcome;
  return fastest === undefined ? outcome : { ...outcome, fastest: withoutVerification(fastest) };
}

/** Searches within a setting that was read before. */
export function searchSetting(setting: PlanningSetting, verify?: VerifyPlan): SearchOutcome {
  if (setting.problem.estimator === 'sum-of-tails') return solvedOnce(setting, verify);
  return verify === undefined ? searchByEstimate(setting) : verifiedSearch(setting, verify);
}

/** Searches the best plan of `problem`. */
export const searchPlan = (problem: PlanningProblem, verify?: VerifyPlan): SearchOutcome =>
  searchSetting(planningSetting(problem), verify);
