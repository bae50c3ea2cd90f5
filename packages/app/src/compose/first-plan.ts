/** The plan that a pipeline starts with: kept from before where it may be resumed, else made now. */
import {
  AppError,
  type PipelineSpec,
  type Plan,
  type PlanResult,
  type PolicyName,
  type ServiceCurves,
  type StageId,
} from '@equipoise/core';
import { coresText } from '../terminal/plan-table.js';

/** Where the first plan comes from: made now (as `result` says), or kept from before. `passedOver` is why a kept plan was not taken. */
export type FirstPlan =
  | { readonly kind: 'resumed'; readonly plan: Plan }
  | { readonly kind: 'made'; readonly plan: Plan; readonly result: PlanResult; readonly passedOver?: string };

/** The plan of a result, its best effort where none is feasible; AppError INFEASIBLE where there is not even that. */
export function planOfResult(result: PlanResult): Plan {
  const plan = result.kind === 'feasible' ? result.plan : result.bestEffort;
  if (plan === undefined) {
    throw new AppError('INFEASIBLE', 'No plan fits the budget and bounds of this pipeline.', { details: { result } });
  }
  return plan;
}

/** Why a kept plan cannot run here and now, if so: profiles and machine may have changed since. */
export function resumeObjection(
  { budget }: Pick<PipelineSpec, 'budget'>,
  { stages, predicted }: Pick<Plan, 'stages' | 'predicted'>,
  curves: Pick<ServiceCurves, 'curve'>,
): string | undefined {
  for (const [id, [stagePlan]] of Object.entries(stages)) {
    if (stagePlan === undefined) continue;
    const { variantId, resources } = stagePlan;
    if (curves.curve(id as StageId, variantId, resources.cpuCores) === undefined) {
      return `the profile of ${id}/${variantId} says nothing of ${coresText(resources.cpuCores)}`;
    }
  }
  if (predicted.cpuCores <= (budget.cpuCores ?? Number.POSITIVE_INFINITY)) return undefined;
  return `it takes ${coresText(predicted.cpuCores)} where there are ${budget.cpuCores}`;
}

/** What the log says of the first plan. */
export function firstReason(first: FirstPlan, policy: PolicyName): string {
  if (first.kind === 'resumed') return 'the last good plan of before';
  if (first.result.kind === 'feasible') return `the first plan, by ${policy}`;
  return `the first plan, a best effort: no plan is feasible, the ${first.result.bindingConstraint} binds`;
}
