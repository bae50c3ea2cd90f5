/**
 * What is within reach where an accuracy floor holds. A load that the budget cannot carry there is planned for as far as it can: the best
 * effort of the planner would break the floor for a load that comes once in twenty times, or that nothing could carry anyway.
 */
import type { Forecaster } from '../forecast/forecaster.js';
import type { Decision, Observation } from '../model/decision.js';
import type { Plan } from '../model/plan.js';
import type { RunningPlan } from '../model/running-plan.js';
import { changeBounds } from '../serve/rollout/headroom.js';
import { diffPlans } from './diff-plans.js';
import { growing } from './growing.js';
import { variantPins } from './kept-variants.js';
import { rateBucketEnd } from './load-buckets.js';
import { type ControlContext, onTick } from './on-tick.js';
import { planThatRuns } from './plan-that-runs.js';

/** Parts of the way from the expected rate to the upper one at which is planned, until one is within reach. */
const REACH_FRACTIONS = [1, 0.5, 0];

/** The forecaster with an upper rate that the budget can carry at the accuracy floor; as it is where there is none. */
export function withinReach(context: ControlContext, observation: Observation, forecaster: Forecaster): Forecaster {
  if (floorOf(context, observation) === undefined || observation.staleSources.length > 0) return forecaster;
  const lowered = REACH_FRACTIONS.map(
    (fraction): Forecaster =>
      (...asked) => {
        const forecast = forecaster(...asked);
        const { meanRps, upperRps } = forecast;
        return { ...forecast, upperRps: meanRps + fraction * Math.max(0, upperRps - meanRps) };
      },
  );
  const reached = lowered.find((each) => onTick(context, observation, each).evidence.result?.kind === 'feasible');
  return reached ?? forecaster;
}

/** The decision, or, where it would break the floor in vain, the one for as much as the budget can carry there. */
export function keepingFloor(context: ControlContext, observation: Observation, decision: Decision): Decision {
  const floor = floorOf(context, observation);
  if (decision.kind === 'hold' || floor === undefined || decision.plan.predicted.pas >= floor) return decision;
  const { runningPlan, atMs } = observation;
  const spec = { ...context.spec, ...context.targetAt?.(atMs) };
  const { evidence } = decision;
  const belowRps = evidence.load?.arrivalRps ?? evidence.forecast.upperRps;
  const most = mostAtFloor({ ...context, spec }, { runningPlan, belowRps });
  if (most === undefined) return decision;
  const plan = growing(spec, most.plan, planThatRuns(spec, runningPlan));
  const changes = diffPlans(runningPlan, plan, changeBounds(spec));
  const rate = `${most.arrivalRps.toFixed(1)} rps`;
  const load = { arrivalRps: most.arrivalRps };
  if (changes.length === 0) {
    const reason = `what runs carries as much as the budget can at the accuracy floor, ${rate}`;
    return { kind: 'hold', reason, evidence: { ...evidence, load } };
  }
  const reason = `nothing meets the SLO at ${belowRps.toFixed(1)} rps and the accuracy floor; the best plan for up to ${rate}`;
  return { kind: 'apply', plan, changes, reason, evidence: { ...evidence, load, necessary: true } };
}

function floorOf({ spec, targetAt }: ControlContext, { atMs }: Observation): number | undefined {
  const objective = targetAt?.(atMs).objective ?? spec.objective;
  return objective.kind === 'min-cost' ? objective.accuracyFloor : undefined;
}

/** Buckets of 5 % below the asked rate that are tried: down to a twentieth of it. */
const BUCKETS = 60;
const BUCKET_WIDTH = 1.05;
/** What other variants have to carry beyond those that run, to be worth a switch. */
const LEAST_SWITCH_GAIN = 1.1;

/** A plan and the rate that it is made for. */
export interface PlanForRate {
  readonly plan: Plan;
  readonly arrivalRps: number;
}

/**
 * The plan for the largest rate, at most `belowRps`, that the estimate finds feasible: with the variants that run unless others carry a
 * tenth more. It takes milliseconds, and does not depend on `belowRps` where that is out of reach.
 */
export function mostAtFloor(
  context: ControlContext,
  { runningPlan, belowRps }: { readonly runningPlan: RunningPlan; readonly belowRps: number },
): PlanForRate | undefined {
  const { spec, profiles, policy } = context;
  const running = planThatRuns(spec, runningPlan);
  const problem = { spec, profiles, runningPlan, estimator: 'distribution' } as const;
  const free = largest(belowRps, (arrivalRps) => policy.plan({ ...problem, arrivalRps }));
  if (running === undefined) return free;
  const pins = variantPins(spec, running);
  const kept = largest(belowRps, (arrivalRps) => policy.plan({ ...problem, arrivalRps, pins }));
  if (free === undefined || kept === undefined) return kept ?? free;
  return free.arrivalRps >= LEAST_SWITCH_GAIN * kept.arrivalRps ? free : kept;
}

/** The last bucket that is feasible, where all below it are. */
function largest(
  belowRps: number,
  planFor: (arrivalRps: number) => ReturnType<ControlContext['policy']['plan']>,
): PlanForRate | undefined {
  const at = (bucket: number): PlanForRate | undefined => {
    const arrivalRps = rateBucketEnd(belowRps / BUCKET_WIDTH ** bucket);
    const result = planFor(arrivalRps);
    return result.kind === 'feasible' ? { plan: result.plan, arrivalRps } : undefined;
  };
  let [reached, beyond] = [BUCKETS, -1];
  let found = at(BUCKETS);
  while (found !== undefined && reached - beyond > 1) {
    const middle = Math.floor((reached + beyond) / 2);
    const tried = at(middle);
    if (tried === undefined) beyond = middle;
    else [found, reached] = [tried, middle];
  }
  return found;
}
