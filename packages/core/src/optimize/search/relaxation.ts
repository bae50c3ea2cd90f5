/**
 * What no plan can beat: the optimum when every stage takes only its smallest service time and needs only as many replicas as stability
 * does, and paths that may always be late are left out. No option is faster or smaller, so a relaxation without a plan proves that there
 * is none.
 */

import type { Objective } from '../../model/pipeline-spec.js';
import type { PlanningProblem } from '../planning-problem.js';
import { objectiveValue } from '../problem/objective-value.js';
import { relaxedSetting } from '../problem/planning-setting.js';
import { solve } from '../surrogate/solve.js';
import { surrogateProblem } from '../surrogate/surrogate.js';

/** What holds without any solving: no accuracy exceeds 1 and no cost is below 0. */
function boundOfAll(objective: Objective): number {
  if (objective.kind === 'min-cost') return 0;
  return objective.kind === 'weights' ? objective.accuracy : 1;
}

/** The bound on the objective (a lower one for `min-cost`), or undefined when it is proven that not even the relaxation has a plan. */
export function relaxationBound(problem: PlanningProblem): number | undefined {
  const setting = relaxedSetting(problem);
  const { objective } = setting;
  const { choice, optimal, gapFraction } = solve(surrogateProblem(setting, { theta: 0, kappa: 1 }));
  if (choice === undefined) return optimal ? undefined : boundOfAll(objective);
  const value = objectiveValue(objective, setting.accuracy, choice);
  if (optimal) return value;
  if (gapFraction >= 1) return boundOfAll(objective);
  return objective.kind === 'min-cost'
    ? value * (1 - gapFraction)
    : Math.min(boundOfAll(objective), value + (Math.abs(value) * gapFraction) / (1 - gapFraction));
}
