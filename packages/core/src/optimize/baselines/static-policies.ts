import type { StageId } from '../../model/ids.js';
import type { StagePins } from '../../model/pipeline-spec.js';
import type { PlanResult } from '../../model/plan.js';
import { optimize } from '../optimize.js';
import { type PlanningProblem, type Policy, specOf, type VerifyPlan } from '../planning-problem.js';
import { type RatedVariant, ratedVariants } from '../problem/rated-variants.js';

/**
 * Policies that fix one variant per stage; the planner finds the cheapest plan. If the budget is too small,
 * `bestEffort` has the largest capacity.
 */

/** Order of variants. The policy fixes the first variant. */
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

/** Per stage, fixes the first variant in the given order. Pins of the pipeline file take precedence. */
function planFrozen(problem: PlanningProblem, order: VariantOrder, verify?: VerifyPlan): PlanResult {
  const objective = { kind: 'min-cost', accuracyFloor: 0 } as const;
  return optimize({ ...problem, pins: frozenPins(problem, order), objective }, verify);
}

/** Fixes the most accurate variants; ties go to the cheapest per item. */
export const staticBest: Policy = (problem, verify) =>
  planFrozen(problem, (a, b) => b.accuracy - a.accuracy || a.costPerItemRps - b.costPerItemRps, verify);

/** Fixes the cheapest variant per item. */
export const staticCheapest: Policy = (problem, verify) =>
  planFrozen(problem, (a, b) => a.costPerItemRps - b.costPerItemRps || b.accuracy - a.accuracy, verify);
