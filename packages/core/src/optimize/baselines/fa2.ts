import { variantAccuracy } from '../../estimate/pas.js';
import type { StagePins, StageSpec } from '../../model/pipeline-spec.js';
import type { PlanResult } from '../../model/plan.js';
import { optimize } from '../optimize.js';
import type { PlanningProblem, Policy, VerifyPlan } from '../planning-problem.js';
import { literatureProblem } from './literature-problem.js';

/**
 * FA2 (RTAS 2022) as in the comparison of the IPA paper: one fixed variant per stage; batch sizes and replicas minimize
 * cost.
 */

export type FrozenEnd = 'least-accurate' | 'most-accurate';

function frozenVariant(stage: StageSpec, end: FrozenEnd): StagePins {
  const sign = end === 'least-accurate' ? 1 : -1;
  const sorted = [...stage.variants].sort(
    (a, b) => sign * (variantAccuracy(stage, a.id) - variantAccuracy(stage, b.id)),
  );
  return sorted[0] === undefined ? {} : { variantId: sorted[0].id };
}

function planFa2(problem: PlanningProblem, end: FrozenEnd, verify?: VerifyPlan): PlanResult {
  const objective = { kind: 'min-cost', accuracyFloor: 0 } as const;
  return optimize(
    literatureProblem(problem, objective, (stage) => frozenVariant(stage, end)),
    verify,
  );
}

export const fa2Low: Policy = (problem, verify) => planFa2(problem, 'least-accurate', verify);

export const fa2High: Policy = (problem, verify) => planFa2(problem, 'most-accurate', verify);
