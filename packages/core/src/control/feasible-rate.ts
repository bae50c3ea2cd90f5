/**
 * Feasible rates under an accuracy floor. A rate beyond the budget is lowered to the largest feasible rate. The
 * planner's best effort would break the floor instead.
 */
import type { Decision } from '../model/decision.js';
import type { Plan, PlanResult } from '../model/plan.js';
import { diffPlans } from './diff-plans.js';
import { variantPins } from './guard/switching.js';
import { withoutShrinking } from './plan-facts.js';
import { rateBucketEnd } from './planned-load.js';
import type { Situation } from './situation.js';

/** Number of 5 % steps below the requested rate, down to about 5 % of it. */
const BUCKETS = 60;
const BUCKET_WIDTH = 1.05;
/** A switch of variants must raise the feasible rate by at least this factor. */
const LEAST_SWITCH_GAIN = 1.1;

export interface PlanForRate {
  readonly plan: Plan;
  readonly arrivalRps: number;
}

/** If a decision breaks the accuracy floor, replaces it by the plan for the largest feasible rate, if any. */
export function keepFloor(situation: Situation, decision: Decision): Decision {
  const { spec, accuracyFloor, observation, runningStages } = situation;
  if (decision.kind === 'hold' || accuracyFloor === undefined || decision.plan.predicted.pas >= accuracyFloor)
    return decision;
  const { evidence } = decision;
  const belowRps = evidence.load?.arrivalRps ?? evidence.forecast.upperRps;
  const most = largestFeasibleRate(situation, belowRps);
  if (most === undefined) return decision;
  const plan = withoutShrinking(spec, most.plan, runningStages);
  const changes = diffPlans(observation.runningPlan, plan, spec);
  const rate = `${most.arrivalRps.toFixed(1)} rps`;
  const load = { arrivalRps: most.arrivalRps };
  if (changes.length === 0) {
    const reason = `what runs carries as much as the budget can at the accuracy floor, ${rate}`;
    return { kind: 'hold', reason, evidence: { ...evidence, load } };
  }
  const reason = `nothing meets the SLO at ${belowRps.toFixed(1)} rps and the accuracy floor; the best plan for up to ${rate}`;
  return { kind: 'apply', plan, changes, reason, evidence: { ...evidence, load, necessary: true } };
}

/**
 * Plan for the largest rate up to `belowRps` that is feasible by the estimate. A switch of variants must raise that
 * rate by a tenth.
 */
export function largestFeasibleRate(
  { rules: { profiles, policy }, spec, observation: { runningPlan }, runningStages: running }: Situation,
  belowRps: number,
): PlanForRate | undefined {
  const problem = { spec, profiles, runningPlan, estimator: 'distribution' } as const;
  const free = largestRate(belowRps, (arrivalRps) => policy.plan({ ...problem, arrivalRps }));
  if (running === undefined) return free;
  const pins = variantPins(spec, running);
  const kept = largestRate(belowRps, (arrivalRps) => policy.plan({ ...problem, arrivalRps, pins }));
  if (free === undefined || kept === undefined) return kept ?? free;
  return free.arrivalRps >= LEAST_SWITCH_GAIN * kept.arrivalRps ? free : kept;
}

function largestRate(belowRps: number, planFor: (arrivalRps: number) => PlanResult): PlanForRate | undefined {
  const at = (bucket: number): PlanForRate | undefined => {
    const arrivalRps = rateBucketEnd(belowRps / BUCKET_WIDTH ** bucket);
    const result = planFor(arrivalRps);
    return result.kind === 'feasible' ? { plan: result.plan, arrivalRps } : undefined;
  };
  let [feasible, beyond] = [BUCKETS, -1];
  let found = at(BUCKETS);
  while (found !== undefined && feasible - beyond > 1) {
    const middle = Math.floor((feasible + beyond) / 2);
    const tried = at(middle);
    if (tried === undefined) beyond = middle;
    else [found, feasible] = [tried, middle];
  }
  return found;
}
