/**
 * What no plan can beat: the optimum when every stage takes only its smallest service time and needs only as many replicas as stability
 * does. No option is faster or smaller, so a relaxation without a plan proves that there is none.
 */
import { objectiveValue } from './objective-value.js';
import type { PlanningProblem } from './planning-problem.js';
import { relaxedSetting } from './planning-setting.js';
import { solve } from './solve.js';
import { surrogateProblem } from './surrogate.js';

/** The bound on the objective, or undefined when not even the relaxation has a plan. */
export function relaxationBound(problem: PlanningProblem): number | undefined {
  const setting = relaxedSetting(problem);
  const { choice } = solve(surrogateProblem(setting, { theta: 0, kappa: 1 }));
  return choice === undefined ? undefined : objectiveValue(setting.objective, setting.accuracy, choice);
}
