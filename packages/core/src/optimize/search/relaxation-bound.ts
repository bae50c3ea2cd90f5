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

/** A case (`planCases`). No plan of it is better than `bound`, which is that of its own relaxation if `isExact`. */
export interface BoundedCase {
  readonly problem: PlanningProblem;
  readonly bound: number;
  readonly isExact: boolean;
}

/** Trivial bound: accuracy ≤ 1, cost ≥ 0. */
function trivialBound(objective: Objective): number {
  if (objective.kind === 'min-cost') return 0;
  return objective.kind === 'weights' ? objective.accuracy : 1;
}

/** Undefined if the relaxation is proven to have no choice, or none as good as `knownValue`. */
function caseBound(problem: PlanningProblem, knownValue?: number): number | undefined {
  const prepared = prepareRelaxation(problem);
  const { objective } = prepared;
  const relaxed = surrogateProblem(prepared, { theta: 0, kappa: 1 });
  const { choice, optimal, gapFraction } = solve({ ...relaxed, knownValue });
  if (choice === undefined) return optimal ? undefined : trivialBound(objective);
  const value = objectiveValue(objective, prepared.accuracy, choice);
  if (optimal) return value;
  if (gapFraction >= 1) return trivialBound(objective);
  return objective.kind === 'min-cost'
    ? value * (1 - gapFraction)
    : Math.min(trivialBound(objective), value + (Math.abs(value) * gapFraction) / (1 - gapFraction));
}

/** Bound by the best measured accuracy of a case; no bound if products count. */
function tableBound(objective: Objective, { spec, omitted, thresholds }: PlanningProblem): number {
  if (objective.kind === 'min-cost' || (omitted ?? thresholds) === undefined) return trivialBound(objective);
  const { combinations = [] } = spec.accuracyTable ?? {};
  return trivialBound(objective) * combinations.reduce((best, { accuracy }) => Math.max(best, accuracy), 0);
}

const byBound =
  (objective: Objective) =>
  (a: BoundedCase, b: BoundedCase): number =>
    isBetter(objective, a.bound, b.bound) ? -1 : isBetter(objective, b.bound, a.bound) ? 1 : 0;

/**
 * Cases whose relaxation is not proven infeasible, best bound first. With `exactly`, each has the bound of its own
 * relaxation. Without, most relaxations are only shown to be no better than the best one.
 */
export function boundedCases(problem: PlanningProblem, exactly = true): readonly BoundedCase[] {
  const { objective = problem.spec.objective } = problem;
  const ordered = planCases(problem)
    .map((each) => ({ problem: each, bound: tableBound(objective, each), isExact: false }))
    .sort(byBound(objective));
  let best: number | undefined;
  const cases: BoundedCase[] = [];
  for (const each of ordered) {
    const known = exactly ? undefined : best;
    const bound =
      known !== undefined && isBetter(objective, known, each.bound) ? undefined : caseBound(each.problem, known);
    if (bound !== undefined) {
      cases.push({ problem: each.problem, bound, isExact: true });
      if (best === undefined || isBetter(objective, bound, best)) best = bound;
    } else if (known !== undefined) cases.push(each);
  }
  const bestBound = best ?? trivialBound(objective);
  return cases
    .map((each) => (isBetter(objective, each.bound, bestBound) ? { ...each, bound: bestBound } : each))
    .sort(byBound(objective));
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
