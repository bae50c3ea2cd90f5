/**
 * Relaxation that no plan can beat: smallest service times, minimum stable replicas, only `usualPaths`. If it has no
 * plan, the problem has none.
 */
import type { Objective } from '../../model/pipeline-spec.js';
import { prepareRelaxation, relaxation } from '../options/prepared-problem.js';
import { type LatencyFactors, type Solution, surrogateProblem } from '../options/surrogate.js';
import type { PlanningProblem } from '../planning-problem.js';
import { planCases } from '../problem/plan-cases.js';
import { isBetter, objectiveValue } from '../surrogate/objective-value.js';
import { solve } from '../surrogate/solve.js';
import { mostAccuracyOf, searchTogether } from './search-together.js';

/** A case (`planCases`). No plan of it is better than `bound`, which is that of its own relaxation if `isExact`. */
export interface BoundedCase {
  readonly problem: PlanningProblem;
  readonly bound: number;
  readonly isExact: boolean;
}

const RELAXED: LatencyFactors = { theta: 0, kappa: 1 };

/** Trivial bound: accuracy ≤ 1, cost ≥ 0. */
function trivialBound(objective: Objective): number {
  if (objective.kind === 'min-cost') return 0;
  return objective.kind === 'weights' ? objective.accuracy : 1;
}

/** `value`: of the choice. Undefined if the relaxation is proven to have no choice. */
function boundOf(
  objective: Objective,
  { optimal, gapFraction }: Solution,
  value: number | undefined,
): number | undefined {
  if (value === undefined) return optimal ? undefined : trivialBound(objective);
  if (optimal) return value;
  if (gapFraction >= 1) return trivialBound(objective);
  return objective.kind === 'min-cost'
    ? value * (1 - gapFraction)
    : Math.min(trivialBound(objective), value + (Math.abs(value) * gapFraction) / (1 - gapFraction));
}

/** Undefined if the relaxation is proven to have no choice, or none as good as `knownValue`. */
function caseBound(problem: PlanningProblem, knownValue?: number): number | undefined {
  const prepared = prepareRelaxation(problem);
  const { objective, accuracy } = prepared;
  const solution = solve({ ...surrogateProblem(prepared, RELAXED), knownValue });
  return boundOf(objective, solution, solution.choice && objectiveValue(objective, accuracy, solution.choice));
}

const tableBound = (objective: Objective, problem: PlanningProblem): number =>
  objective.kind === 'min-cost' ? 0 : trivialBound(objective) * mostAccuracyOf(problem);

const byBound =
  (objective: Objective) =>
  (a: BoundedCase, b: BoundedCase): number =>
    isBetter(objective, a.bound, b.bound) ? -1 : isBetter(objective, b.bound, a.bound) ? 1 : 0;

/**
 * Cases that may have a plan, best bound first; none if the relaxation is proven infeasible. With `exactly`, each has the
 * bound of its own relaxation, and all are feasible. Without, and for the sum of tails, only the best bound is exact.
 */
export function boundedCases(problem: PlanningProblem, exactly = true): readonly BoundedCase[] {
  const { objective = problem.spec.objective } = problem;
  const cases = planCases(problem);
  if (cases.length > 1 && (!exactly || problem.estimator === 'sum-of-tails')) return boundedTogether(cases, objective);
  return cases
    .flatMap((each): readonly BoundedCase[] => {
      const bound = caseBound(each);
      return bound === undefined ? [] : [{ problem: each, bound, isExact: true }];
    })
    .sort(byBound(objective));
}

/** One search over the relaxations of all cases. The case with the best bound comes first. */
function boundedTogether(
  cases: readonly [PlanningProblem, ...PlanningProblem[]],
  objective: Objective,
): readonly BoundedCase[] {
  const solution = searchTogether(cases, { preparation: relaxation, factors: RELAXED, onlyValue: true });
  const best = boundOf(objective, solution, solution.value);
  if (best === undefined) return [];
  const bounded = cases.map((each, index): BoundedCase => {
    const own = tableBound(objective, each);
    const isExact = solution.optimal && index === solution.caseIndex;
    return { problem: each, bound: isBetter(objective, own, best) ? best : own, isExact };
  });
  const first = bounded[solution.caseIndex];
  return [...(first ? [first] : []), ...bounded.filter((each) => each !== first)].sort(byBound(objective));
}

/** The cases that may have a plan at least as good as `value`, with exact bounds, best first. */
export function casesThatReach(cases: readonly BoundedCase[], value: number): readonly BoundedCase[] {
  const [first] = cases;
  if (first === undefined) return cases;
  const { objective = first.problem.spec.objective } = first.problem;
  return cases
    .flatMap((each): readonly BoundedCase[] => {
      if (isBetter(objective, value, each.bound)) return [];
      if (each.isExact) return [each];
      const bound = caseBound(each.problem, value);
      return bound === undefined || isBetter(objective, value, bound)
        ? []
        : [{ problem: each.problem, bound, isExact: true }];
    })
    .sort(byBound(objective));
}

/** Bound on the objective (from below for `min-cost`). Undefined if the relaxation is proven infeasible. */
export const relaxationBound = (problem: PlanningProblem): number | undefined => boundedCases(problem, false)[0]?.bound;
