import type { Plan, PlanResult } from '../../model/plan.js';
import type { PreparedProblem } from '../options/prepared-problem.js';
import { matchesOption, type StageOption } from '../options/stage-option.js';
import type { LatencyFactors } from '../options/surrogate.js';
import type { PlanningProblem, VerifyPlan } from '../planning-problem.js';

export type VerifierAt = (arrivalRps: number) => VerifyPlan;

/** A plan with its problem. Without `verifierAt`, estimates replace simulations. */
export interface ExplainedPlan {
  readonly problem: PlanningProblem;
  readonly prepared: PreparedProblem;
  readonly result: Extract<PlanResult, { kind: 'feasible' }>;
  readonly factors: LatencyFactors;
  readonly verifierAt: VerifierAt | undefined;
}

export function optionsOf(prepared: PreparedProblem, plan: Plan): readonly StageOption[] | undefined {
  const chosen = prepared.spec.stages.map((stage, s) => {
    const [part] = plan.stages[stage.id] ?? [];
    return prepared.options[s]?.find((o) => part !== undefined && matchesOption(part, o));
  });
  return chosen.every((o) => o !== undefined) ? chosen : undefined;
}
