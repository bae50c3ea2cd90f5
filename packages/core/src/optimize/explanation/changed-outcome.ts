/** Plan after a changed bound or load, planned and judged like the original. */

import { prepareProblem } from '../options/prepared-problem.js';
import type { SurrogateOption } from '../options/surrogate.js';
import type { PlanningProblem } from '../planning-problem.js';
import { searchPrepared } from '../search/search-plan.js';
import { isBetter } from '../surrogate/objective-value.js';
import { type ExplainedPlan, matchesOption } from './explained-plan.js';
import type { ChangedOutcome } from './plan-explanation.js';

const COST_ROUNDING = 1e-9;

export function changedOutcome({ result, verifierAt }: ExplainedPlan, changed: PlanningProblem): ChangedOutcome {
  const prepared = prepareProblem(changed);
  const outcome = searchPrepared(prepared, verifierAt?.(changed.arrivalRps));
  if (outcome.kind === 'none') return { changedStages: [] };
  const { choice, value } = outcome.found;
  const changedStages = prepared.spec.stages.flatMap(({ id }, s) => {
    const [part] = result.plan.stages[id] ?? [];
    return part !== undefined && matchesOption(part, (choice[s] as SurrogateOption).option) ? [] : [id];
  });
  return { value, changedStages, costPerHour: outcome.found.plan.predicted.costPerHour };
}

/** Keeps the plan if no other is better or cheaper. */
export function relaxedOutcome(explained: ExplainedPlan, relaxed: PlanningProblem): ChangedOutcome {
  const { objectiveValue: value, plan } = explained.result;
  const { costPerHour } = plan.predicted;
  const outcome = changedOutcome(explained, relaxed);
  const gains = outcome.value !== undefined && isBetter(explained.prepared.objective, outcome.value, value);
  const saves = (outcome.costPerHour ?? Number.POSITIVE_INFINITY) < costPerHour * (1 - COST_ROUNDING);
  return gains || saves ? outcome : { value, costPerHour, changedStages: [] };
}
