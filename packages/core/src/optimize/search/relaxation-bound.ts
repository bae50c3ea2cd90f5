/**
 * Relaxation that no plan can beat: smallest service times, minimum stable replicas, only `usualPaths`. If it has no
 * plan, the problem has none.
 */
import type { Objective } from '../../model/pipeline-spec.js';
import { prepareRelaxation } from '../options/prepared-problem.js';
import { surrogateProblem } from '../options/surrogate.js';
import type { PlanningProblem } from '../planning-problem.js';
import { planCases } from '../problem/plan-cases.js';
import { isBetter, objectiveValue } from '../surrogate/objective-value.js';
import { solve } from '../surrogate/solve.js';

/** A case (`planCases`) with the bound of its plans. */
export interface BoundedCase {
  readonly problem: PlanningProblem;
  readonly bound: number;
}

/** Trivial bound: accuracy ≤ 1, cost ≥ 0. */
function trivialBound(objective: Objective): number {
  if (objective.kind === 'min-cost') return 0;
  return objective.kind === 'weights' ? objective.accuracy : 1;
}

function caseBound(problem: PlanningProblem): number | undefined {
  const prepared = prepareRelaxation(problem);
  const { objective } = prepared;
  const { choice, optimal, gapFraction } = solve(surrogateProblem(prepared, { theta: 0, kappa: 1 }));
  if (choice === undefined) return optimal ? undefined : trivialBound(objective);
  const value = objectiveValue(objective, prepared.accuracy, choice);
  if (optimal) return value;
  if (gapFraction >= 1) return trivialBound(objective);
  return objective.kind === 'min-cost'
    ? value * (1 - gapFraction)
    : Math.min(trivialBound(objective), value + (Math.abs(value) * gapFraction) / (1 - gapFraction));
}

/** Cases whose relaxation is not proven infeasible, best bound first. */
export function boundedCases(problem: PlanningProblem): readonly BoundedCase[] {
  const { objective = problem.spec.objective } = problem;
  const cases = planCases(problem).flatMap((each) => {
    const bound = caseBound(each);
    return bound === undefined ? [] : [{ problem: each, bound }];
  });
  return cases.sort((a, b) =>
    isBetter(objective, a.bound, b.bound) ? -1 : isBetter(objective, b.bound, a.bound) ? 1 : 0,
  );
}

/** Bound on the objective (from below for `min-cost`). Undefined if the relaxation is proven infeasible. */
export const relaxationBound = (problem: PlanningProblem): number | undefined => boundedCases(problem)[0]?.bound;
