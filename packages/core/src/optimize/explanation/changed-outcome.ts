/** Plan for a changed bound or load, found and judged like the original plan. */

import type { Plan } from '../../model/plan.js';
import { matchesOption } from '../options/stage-option.js';
import type { PlanningProblem } from '../planning-problem.js';
import { searchPlan } from '../search/search-plan.js';
import { isBetter } from '../surrogate/objective-value.js';
import type { ExplainedPlan } from './explained-plan.js';
import type { ChangedOutcome } from './plan-explanation.js';

const COST_ROUNDING = 1e-9;

/** `plan` is a candidate for the original problem. Its search also tried the original plan. */
export interface FoundOutcome extends ChangedOutcome {
  readonly plan?: Plan;
}

export function changedOutcome({ result, verifierAt }: ExplainedPlan, changed: PlanningProblem): FoundOutcome {
  const outcome = searchPlan({ ...changed, candidates: [result.plan.stages] }, verifierAt?.(changed.arrivalRps));
  if (outcome.kind === 'none') return { changedStages: [] };
  const { plan, value } = outcome.found;
  const changedStages = changed.spec.stages.flatMap(({ id }) => {
    const [[part], [other]] = [result.plan.stages[id] ?? [], plan.stages[id] ?? []];
    return part !== undefined && other !== undefined && matchesOption(part, other) ? [] : [id];
  });
  return { value, changedStages, costPerHour: plan.predicted.costPerHour, plan };
}

/** Keeps the original plan unless the relaxed problem has a better or cheaper one. */
export function relaxedOutcome(explained: ExplainedPlan, relaxed: PlanningProblem): FoundOutcome {
  const { objectiveValue: value, plan } = explained.result;
  const { costPerHour } = plan.predicted;
  const outcome = changedOutcome(explained, relaxed);
  const gains = outcome.value !== undefined && isBetter(explained.prepared.objective, outcome.value, value);
  const saves = (outcome.costPerHour ?? Number.POSITIVE_INFINITY) < costPerHour * (1 - COST_ROUNDING);
  return gains || saves ? outcome : { value, costPerHour, changedStages: [] };
}
