/**
 * End-to-end check: on small instances every plan within the budget is simulated, so the best plan that meets the SLO
 * is known. The planner answers with the same simulation.
 */

import { showsSloMet } from '@equipoise/core/model';
import type { PlanResult, PlanVerification } from '../../packages/core/src/model/plan.js';
import { optimize } from '../../packages/core/src/optimize/optimize.js';
import { type PreparedProblem, prepareProblem } from '../../packages/core/src/optimize/options/prepared-problem.js';
import type { StageOption } from '../../packages/core/src/optimize/options/stage-option.js';
import type { PlanningProblem, VerifyPlan } from '../../packages/core/src/optimize/planning-problem.js';
import { planOf, sketchOf } from '../../packages/core/src/optimize/search/plan-of.js';
import { curvesOf } from '../../packages/core/src/profile/service-curves.js';
import { planVerifier } from '../../packages/core/src/simulate/plan-verifier.js';
import { type SmallInstance, smallInstance } from './small-instances.js';

/** PAS and cost of the most accurate plan, and cost of the cheapest plan above the floor. */
export interface Reached {
  readonly pas: number;
  readonly pasCost: number;
  readonly cost: number;
}

export interface EndToEndCase {
  readonly seed: number;
  readonly shape: SmallInstance['shape'];
  readonly stages: number;
  readonly plans: number;
  readonly feasiblePlans: number;
  readonly best: Reached;
  /** Results of `max-accuracy` and `min-cost`; 0 for infeasible. */
  readonly found: Reached;
  readonly simulations: { readonly maxAccuracy: number; readonly minCost: number };
}

const WORK = 100_000;
const SEED = 7;

export function verifierOf({ spec, arrivalRps }: PlanningProblem): VerifyPlan {
  const curves = curvesOf(spec, []);
  if (curves.kind === 'invalid') throw new Error('the profiles of the instance are invalid');
  return planVerifier({
    spec,
    curves,
    arrivalRps,
    hostCores: Number.POSITIVE_INFINITY,
    seed: SEED,
    workStageRequests: WORK,
  });
}

export function* plansOf({ options, limits }: PreparedProblem): Generator<readonly StageOption[]> {
  const chosen: StageOption[] = [];
  function* extend(s: number, cores: number): Generator<readonly StageOption[]> {
    if (s === options.length) yield [...chosen];
    for (const option of options[s] ?? []) {
      if (cores + option.use[0] > limits[0] + 1e-9) continue;
      chosen[s] = option;
      yield* extend(s + 1, cores + option.use[0]);
    }
  }
  yield* extend(0, 0);
}

function counted(verify: VerifyPlan): { readonly verify: VerifyPlan; readonly plans: Set<string> } {
  const plans = new Set<string>();
  return {
    plans,
    verify: (plan, slo): PlanVerification => {
      plans.add(JSON.stringify(plan.stages));
      return verify(plan, slo);
    },
  };
}

function pasAndCost(result: PlanResult): { readonly pas: number; readonly cost: number } {
  if (result.kind !== 'feasible') return { pas: 0, cost: 0 };
  const { pas, costPerHour } = result.plan.predicted;
  if (result.plan.verified === undefined || !showsSloMet(result.plan.verified))
    throw new Error('the plan does not hold');
  return { pas, cost: costPerHour };
}

/** Simulates every plan of an instance and asks the planner twice. */
export function endToEndCase(seed: number): EndToEndCase {
  const { shape, problem, accuracyFloor } = smallInstance(seed);
  const prepared = prepareProblem(problem);
  const verify = verifierOf(problem);
  let best: Reached = { pas: 0, pasCost: 0, cost: 0 };
  let plans = 0;
  let feasiblePlans = 0;
  for (const choice of plansOf(prepared)) {
    plans++;
    if (!showsSloMet(verify(sketchOf(prepared, choice), prepared.spec.slo))) continue;
    feasiblePlans++;
    const { pas, costPerHour } = planOf(prepared, choice).predicted;
    const cheapest = pas >= accuracyFloor && (best.cost === 0 || costPerHour < best.cost) ? costPerHour : best.cost;
    const wins = pas > best.pas + 1e-9 || (pas > best.pas - 1e-9 && costPerHour < best.pasCost);
    best = { ...(wins ? { pas, pasCost: costPerHour } : { pas: best.pas, pasCost: best.pasCost }), cost: cheapest };
  }
  const accurate = counted(verify);
  const cheap = counted(verify);
  const accurateAnswer = pasAndCost(optimize(problem, accurate.verify));
  const found = {
    pas: accurateAnswer.pas,
    pasCost: accurateAnswer.cost,
    cost: pasAndCost(optimize({ ...problem, objective: { kind: 'min-cost', accuracyFloor } }, cheap.verify)).cost,
  };
  const simulations = { maxAccuracy: accurate.plans.size, minCost: cheap.plans.size };
  return { seed, shape, stages: prepared.spec.stages.length, plans, feasiblePlans, best, found, simulations };
}
