/**
 * The plan of largest capacity that a budget admits, for loads that it cannot carry: the arrival rate is bisected for the highest one with
 * a stable plan, accuracy and SLO aside. Ends within 1 % of that rate.
 */
import type { Plan } from '../../model/plan.js';
import type { PlanningProblem } from '../planning-problem.js';
import { type PlanningSetting, relaxedSetting } from '../problem/planning-setting.js';
import type { Solution } from '../surrogate/solution.js';
import { solve } from '../surrogate/solve.js';
import { surrogateProblem } from '../surrogate/surrogate.js';
import { planOf } from './plan-of.js';

const PRECISION = 0.01;
const BISECTIONS = 60;
/** No budget carries more: the steps suffice from here. */
const MOST_RPS = 1e12;

interface StablePlan {
  readonly setting: PlanningSetting;
  readonly choice: NonNullable<Solution['choice']>;
}

function stableAt(problem: PlanningProblem, arrivalRps: number): StablePlan | undefined {
  const setting = relaxedSetting({
    ...problem,
    arrivalRps,
    objective: { kind: 'min-cost', accuracyFloor: 0 },
    slo: { ...(problem.slo ?? problem.spec.slo), latencyMs: Number.MAX_VALUE },
  });
  const { choice } = solve(surrogateProblem(setting, { theta: 0, kappa: 1 }));
  return choice === undefined ? undefined : { setting, choice };
}

/** The plan for the highest rate up to the problem's that the budget can carry; none when not even an idle plan fits. */
export function largestCapacityPlan(problem: PlanningProblem): Plan | undefined {
  let low = 0;
  let high = Math.min(problem.arrivalRps, MOST_RPS);
  let best = stableAt(problem, high);
  if (best === undefined) best = stableAt(problem, low);
  else low = high;
  if (best === undefined) return undefined;
  for (let i = 0; i < BISECTIONS && high - low > PRECISION * low; i++) {
    const middle = (low + high) / 2;
    const stable = stableAt(problem, middle);
    if (stable === undefined) high = middle;
    else [best, low] = [stable, middle];
  }
  const options = best.choice.map((o) => o.option);
  return planOf({ ...best.setting, problem }, options);
}
