/**
 * The fast loop: once a second it asks whether more arrives than was planned for, and if so gets capacity for it at once. It plans by the
 * estimate alone, which takes milliseconds where a verified plan takes longer than a burst can wait, and it only protects: no stage gives
 * up replicas that it may keep, and nothing is changed that does not raise what the pipeline carries. What a calm load no longer needs
 * the slow loop takes back. While a source is silent the fresh ones show the least that arrives: a burst in that is answered with more of
 * what runs, and with nothing that takes something away.
 */

import type { Change } from '../model/change.js';
import type { Burst, Decision, Observation } from '../model/decision.js';
import type { ArrivalEnvelope, ExpectedLoad } from '../model/expected-load.js';
import type { StageId } from '../model/ids.js';
import type { Plan, PlanResult } from '../model/plan.js';
import type { RunningPlan } from '../model/running-plan.js';
import type { PlanningProblem } from '../optimize/planning-problem.js';
import { isOfKind } from '../serve/fleet/stage-steps.js';
import { changeBounds } from '../serve/rollout/headroom.js';
import { detectBurst, plannedEnvelope } from './burst-detection.js';
import { carriedRps } from './carried-rate.js';
import { diffPlans, diffUnderWay } from './diff-plans.js';
import { growing } from './growing.js';
import { variantPins } from './kept-variants.js';
import { rateBucketEnd } from './load-buckets.js';
import type { ControlContext } from './on-tick.js';
import { planThatRuns } from './plan-that-runs.js';
import type { PlannedRate } from './planned-rates.js';
import { mostAtFloor } from './reach.js';

/** What the fast loop did, and the load that it made room for. */
export interface Protection {
  readonly decision: Extract<Decision, { kind: 'apply' }>;
  readonly load: ExpectedLoad;
}

/** The load that was planned for; `inBurst` where a burst has been answered a moment ago. */
export interface ProtectedLoad {
  readonly planned: ExpectedLoad;
  readonly keepsVariants: boolean;
  readonly inBurst: boolean;
  /** The rates that were planned for in the last minute, oldest first. */
  readonly rates: readonly PlannedRate[];
  /** Where the last change leads. */
  readonly underWay: Plan['stages'] | undefined;
}

/** Standard errors that are added to the rate of a burst: it is known from few arrivals, and too little is worse than too much. */
const MARGIN_ERRORS = 1;

/** Protects against a load above `planned`; undefined where there is none, or nothing that would help. */
export function protect(
  standing: ControlContext,
  observation: Observation,
  { keepsVariants, underWay, ...before }: ProtectedLoad,
): Protection | undefined {
  const spec = { ...standing.spec, ...standing.targetAt?.(observation.atMs) };
  const context: ControlContext = { ...standing, spec };
  const burst = detectBurst(observation.load, boundsFor(context, observation, before));
  if (burst === undefined) return undefined;
  const load = burstLoad(burst);
  const plan = protectivePlan(context, { runningPlan: observation.runningPlan, load, keepsVariants });
  if (plan === undefined) return undefined;
  const isChanging = observation.changing === true;
  // What is on its way there already needs no other way.
  if (isChanging && isSame(plan.stages, underWay)) return undefined;
  const differing = isChanging ? diffUnderWay : diffPlans;
  const changes = differing(observation.runningPlan, plan, changeBounds(spec));
  if (changes.length === 0) return undefined;
  if (observation.staleSources.length > 0 && changes.some(takesAway)) return undefined;
  const [from, to] = [before.planned.arrivalRps, load.arrivalRps].map((rps) => rps.toFixed(1));
  const reason = `${burst.arrivals} arrivals in ${burst.windowS} s, planned were at most ${Math.floor(burst.plannedArrivals)}: room for ${to} rps in place of ${from}`;
  const forecast = { method: 'burst', meanRps: burst.rateRps, upperRps: load.arrivalRps };
  const evidence = { forecast, load, burst, necessary: true };
  return { load, decision: { kind: 'apply', plan, changes, reason, evidence } };
}

function isSame(stages: Plan['stages'], others: Plan['stages'] | undefined): boolean {
  return Object.entries(stages).every(([id, [plan]]) => {
    const other = others?.[id as StageId]?.[0];
    if (plan === undefined || other === undefined) return plan === other;
    const [a, b] = [plan, other].map(({ replicas, maxBatchSize, maxBatchWaitMs }) => [
      replicas,
      maxBatchSize,
      maxBatchWaitMs,
    ]);
    return isOfKind(plan, other) && String(a) === String(b);
  });
}

/** Whether a change ends replicas that run. */
function takesAway(change: Change): boolean {
  if (change.kind === 'scale') return change.to.replicas < change.fromReplicas;
  return change.kind !== 'set-batch';
}

/** What is planned for, and of a bursty load no more than what runs can carry in time. */
function boundsFor(
  { spec, curves }: ControlContext,
  { runningPlan, atMs }: Observation,
  { planned, inBurst, rates }: Omit<ProtectedLoad, 'keepsVariants' | 'underWay'>,
): ArrivalEnvelope {
  const running = planThatRuns(spec, runningPlan);
  const bounds = { inBurst, before: { rates, nowMs: atMs } };
  if (running === undefined || planned.burstiness === undefined) return plannedEnvelope(planned, bounds);
  const carried = { rps: carriedRps(spec, running, curves), sloMs: spec.slo.latencyMs };
  return plannedEnvelope(planned, { carried, ...bounds });
}

/** The burst as a load of its own: that it bursts is what the burstiness of the load before said, and no reason for more. */
function burstLoad({ arrivals, windowS, rateRps }: Burst): ExpectedLoad {
  return { arrivalRps: rateBucketEnd(rateRps + (MARGIN_ERRORS * Math.sqrt(arrivals)) / windowS) };
}

interface Asked {
  readonly runningPlan: RunningPlan;
  readonly load: ExpectedLoad;
  readonly keepsVariants: boolean;
}

/** The estimated best plan for the burst, with the variants that run where those can carry it, or what helps most; it keeps replicas. */
function protectivePlan(context: ControlContext, { runningPlan, load, keepsVariants }: Asked): Plan | undefined {
  const { spec, profiles, policy } = context;
  const { arrivalRps } = load;
  const problem: PlanningProblem = { spec, profiles, arrivalRps, runningPlan, estimator: 'distribution' };
  const running = planThatRuns(spec, runningPlan);
  const kept = keepsVariants && running ? policy.plan({ ...problem, pins: variantPins(spec, running) }) : undefined;
  const result = kept?.kind === 'feasible' ? kept : policy.plan(problem);
  const wanted = result.kind === 'feasible' ? result.plan : bestEffort(context, { result, runningPlan, arrivalRps });
  return wanted && growing(spec, wanted, running);
}

/** What helps most where the burst is out of reach: with an accuracy floor the plan for as much of it as the budget can carry there. */
function bestEffort(
  context: ControlContext,
  asked: {
    readonly result: Extract<PlanResult, { kind: 'infeasible' }>;
    readonly runningPlan: RunningPlan;
    readonly arrivalRps: number;
  },
): Plan | undefined {
  const { result, runningPlan, arrivalRps } = asked;
  if (context.spec.objective.kind !== 'min-cost') return result.bestEffort;
  return mostAtFloor(context, { runningPlan, belowRps: arrivalRps })?.plan;
}
