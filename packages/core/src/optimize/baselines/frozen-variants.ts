/** Policies that never choose variants: one variant per stage is fixed by a rule, the rest is the planner's cheapest plan that holds. */
import { variantAccuracy } from '../../estimate/pas.js';
import type { StageId } from '../../model/ids.js';
import type { StagePins, StageSpec, VariantSpec } from '../../model/pipeline-spec.js';
import type { PlanResult } from '../../model/plan.js';
import { capacityRps } from '../../profile/service-curve.js';
import { optimize } from '../optimize.js';
import { type PlanningProblem, specOf, type VerifyPlan } from '../planning-problem.js';
import { planningCurves } from '../problem/planning-curves.js';
import { replicaCostPerHour } from '../problem/resource-use.js';

/** A variant as the rules compare it. */
export interface RatedVariant {
  readonly variant: VariantSpec;
  readonly accuracy: number;
  /** Least cost per hour for one item per second, over cores and batch sizes. */
  readonly costPerItemRps: number;
}

/** Orders variants of a stage; the first is frozen. */
export type VariantOrder = (a: RatedVariant, b: RatedVariant) => number;

function ratedVariants(problem: PlanningProblem, stage: StageSpec): readonly RatedVariant[] {
  const spec = specOf(problem);
  const curves = planningCurves(spec, problem.profiles);
  return stage.variants.map((variant) => {
    const costs = variant.cpuCores.map((cpuCores) => {
      const curve = curves.curve(stage.id, variant.id, cpuCores);
      if (curve === undefined) return Number.POSITIVE_INFINITY;
      const resources = { cpuCores, memoryBytes: variant.memoryBytes, gpus: variant.gpus };
      return replicaCostPerHour(resources, spec.prices) / capacityRps(curve, 1, curve.maxBatchSize);
    });
    return { variant, accuracy: variantAccuracy(stage, variant.id), costPerItemRps: Math.min(...costs) };
  });
}

function frozenPins(problem: PlanningProblem, order: VariantOrder): Readonly<Record<StageId, StagePins>> {
  return Object.fromEntries(
    specOf(problem).stages.map((stage) => {
      const first = [...ratedVariants(problem, stage)].sort(order)[0];
      return [stage.id, first === undefined ? stage.pins : { variantId: first.variant.id, ...stage.pins }];
    }),
  );
}

/** Freezes the first variant by `order` in every stage (a pin of the owner wins) and plans the cheapest way to run it. */
export function planFrozen(problem: PlanningProblem, order: VariantOrder, verify?: VerifyPlan): PlanResult {
  const objective = { kind: 'min-cost', accuracyFloor: 0 } as const;
  return optimize({ ...problem, pins: frozenPins(problem, order), objective }, verify);
}
