import type { StageId } from '../../model/ids.js';
import type { StagePins } from '../../model/pipeline-spec.js';
import type { PlanResult } from '../../model/plan.js';
import { optimize } from '../optimize.js';
import { type PlanningProblem, type Policy, specOf, type VerifyPlan } from '../planning-problem.js';
import { type RatedVariant, ratedVariants } from '../problem/rated-variants.js';

/** Policies that never choose variants: one variant per stage is fixed by a rule, the rest is the planner's cheapest plan that holds. */

/** Orders variants of a stage; the first is frozen. */
export type VariantOrder = (a: RatedVariant, b: RatedVariant) => number;

function frozenPins(problem: PlanningProblem, order: VariantOrder): Readonly<Record<StageId, StagePins>> {
  const spec = specOf(problem);
  return Object.fromEntries(
    spec.stages.map((stage) => {
      const first = [...ratedVariants(spec, problem.profiles, stage)].sort(order)[0];
      return [stage.id, first === undefined ? stage.pins : { variantId: first.variant.id, ...stage.pins }];
    }),
  );
}

/** Freezes the first variant by `order` in every stage (a pin of the owner wins) and plans the cheapest way to run it. */
function planFrozen(problem: PlanningProblem, order: VariantOrder, verify?: VerifyPlan): PlanResult {
  const objective = { kind: 'min-cost', accuracyFloor: 0 } as const;
  return optimize({ ...problem, pins: frozenPins(problem, order), objective }, verify);
}

/**
 * The most accurate variant of every stage (of equals the one of least cost per item), with the cheapest replicas that serve the rate
 * within the SLO; where the budget cannot carry the rate, the plan of largest capacity is the best effort.
 */

/** Policy `static-best`. */
export const staticBest: Policy = (problem, verify) =>
  planFrozen(problem, (a, b) => b.accuracy - a.accuracy || a.costPerItemRps - b.costPerItemRps, verify);

/**
 * The cheapest variant of every stage (least cost per item), with the cheapest replicas that serve the rate within the SLO; where the
 * budget cannot carry the rate, the plan of largest capacity is the best effort.
 */

/** Policy `static-cheapest`. */
export const staticCheapest: Policy = (problem, verify) =>
  planFrozen(problem, (a, b) => a.costPerItemRps - b.costPerItemRps || b.accuracy - a.accuracy, verify);
