/**
 * The planner. Returns the best plan within SLO, budget and bounds with a certificate; or the reason why there is none,
 * with helpful relaxations.
 */
import type { Certificate, Plan, PlanResult } from '../model/plan.js';
import type { PlanningProblem, Policy, VerifyPlan } from './planning-problem.js';
import { answerOf } from './search/infeasibility.js';
import { boundedCases } from './search/relaxation-bound.js';
import { type FoundPlan, searchPlan } from './search/search-plan.js';

function gapToBound(value: number, bound: number): number {
  return Math.abs(bound - value) / Math.max(1e-12, Math.abs(bound), Math.abs(value));
}

function certificateOf(bound: number, found: FoundPlan, labels: number): Omit<Certificate, 'elapsedMs'> {
  return {
    claim: 'surrogate',
    ...found.factors,
    optimal: found.solution.optimal,
    gapFraction: found.solution.gapFraction,
    upperBound: bound,
    gapToBoundFraction: gapToBound(found.value, bound),
    solver: found.solution.solver,
    labels,
    ...(found.search && { search: found.search }),
  };
}

/**
 * Deterministic if `verify` is. Throws AppError for impossible numbers, invalid pipelines, and missing or invalid
 * profiles.
 */
export const optimize: Policy = (problem: PlanningProblem, verify?: VerifyPlan): PlanResult => {
  const startedAtMs = problem.clock?.nowMs() ?? 0;
  const cases = boundedCases(problem, verify !== undefined);
  const bound = cases[0]?.bound;
  // Without any plan, the search only looks for the best effort.
  const search = searchPlan(bound === undefined ? { ...problem, workLimit: 0 } : problem, verify, cases);
  const outcome = answerOf(problem, search, { verify, isInfeasible: () => bound === undefined });
  if (outcome.kind === 'none') return outcome.result;
  const { plan, value } = outcome.found;
  const certificate = certificateOf(bound ?? value, outcome.found, outcome.labels);
  const elapsedMs = (problem.clock?.nowMs() ?? 0) - startedAtMs;
  return { kind: 'feasible', plan, objectiveValue: value, certificate: { ...certificate, elapsedMs } };
};

/** The plan of `optimize`; undefined if it finds none. Without the reasons for that, whose search may take longer. */
export function planIfAny(problem: PlanningProblem, verify?: VerifyPlan): Plan | undefined {
  const cases = boundedCases(problem, verify !== undefined);
  if (cases.length === 0) return undefined;
  const search = searchPlan(problem, verify, cases);
  return search.kind === 'found' ? search.found.plan : undefined;
}
