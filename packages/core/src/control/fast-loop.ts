/**
 * The fast loop: once a second it asks whether more arrives than was planned for, and if so gets capacity for it at once. It plans by the
 * estimate alone, which takes milliseconds where a verified plan takes longer than a burst can wait, and it only protects: no stage gives
 * up replicas that it may keep, and nothing is changed that does not raise what the pipeline carries. What a calm load no longer needs
 * the slow loop takes back.
 */
import type { Burst } from '../model/burst.js';
import type { Decision, Observation } from '../model/decision.js';
import type { ExpectedLoad } from '../model/expected-load.js';
import type { Plan, PlanResult, StagePlan } from '../model/plan.js';
import type { RunningPlan } from '../model/running-plan.js';
import type { PlanningProblem } from '../optimize/planning-problem.js';
import { changeBounds } from '../serve/fleet/change-room.js';
import { detectBurst, plannedEnvelope } from './burst-detection.js';
import { diffPlans } from './diff-plans.js';
import { keepsToBudget, withUse } from './guardrails.js';
import { variantPins } from './kept-variants.js';
import { rateBucketEnd } from './load-buckets.js';
import type { ControlContext } from './on-tick.js';
import { planThatRuns } from './plan-that-runs.js';

/** What the fast loop did, and the load that it made room for. */
export interface Protection {
  readonly decision: Extract<Decision, { kind: 'apply' }>;
  readonly load: ExpectedLoad;
}

/** Standard errors that are added to the rate of a burst: it is known from few arrivals, and too little is worse than too much. */
const MARGIN_ERRORS = 1;

/** Protects against a load above `planned`; undefined where there is none, or nothing that would help. */
export function protect(
  context: ControlContext,
  observation: Observation,
  { planned, keepsVariants }: { readonly planned: ExpectedLoad; readonly keepsVariants: boolean },
): Protection | undefined {
  if (observation.staleSources.length > 0) return undefined;
  const burst = detectBurst(observation.load.arrivalsPerSecond, plannedEnvelope(planned));
  if (burst === undefined) return undefined;
  const load = burstLoad(burst, planned);
  const plan = protectivePlan(context, {
    runningPlan: observation.runningPlan,
    load,
    keepsVariants,
    plannedRps: planned.arrivalRps,
  });
  if (plan === undefined) return undefined;
  const changes = diffPlans(observation.runningPlan, plan, changeBounds(context.spec));
  if (changes.length === 0) return undefined;
  const [from, to] = [planned.arrivalRps, load.arrivalRps].map((rps) => rps.toFixed(1));
  const reason = `${burst.arrivals} arrivals in ${burst.windowS} s, planned were at most ${Math.floor(burst.plannedArrivals)}: room for ${to} rps in place of ${from}`;
  const forecast = { method: 'burst', meanRps: burst.rateRps, upperRps: load.arrivalRps };
  const evidence = { forecast, load, burst, necessary: true };
  return { load, decision: { kind: 'apply', plan, changes, reason, evidence } };
}

function burstLoad({ arrivals, windowS, rateRps }: Burst, { burstiness }: ExpectedLoad): ExpectedLoad {
  const arrivalRps = rateBucketEnd(rateRps + (MARGIN_ERRORS * Math.sqrt(arrivals)) / windowS);
  return { arrivalRps, ...(burstiness && { burstiness }) };
}

interface Asked {
  readonly plannedRps: number;
  readonly runningPlan: RunningPlan;
  readonly load: ExpectedLoad;
  readonly keepsVariants: boolean;
}

/** The estimated best plan for the burst, with the variants that run where those can carry it, or the best effort; it keeps replicas. */
function protectivePlan(
  context: ControlContext,
  { runningPlan, load, keepsVariants, plannedRps }: Asked,
): Plan | undefined {
  const { spec, profiles, policy } = context;
  const { arrivalRps, burstiness } = load;
  const problem: PlanningProblem = {
    ...{ spec, profiles, arrivalRps, runningPlan, estimator: 'distribution' },
    ...(burstiness && { burstiness }),
  };
  const running = planThatRuns(spec, runningPlan);
  const kept = keepsVariants && running ? policy.plan({ ...problem, pins: variantPins(spec, running) }) : undefined;
  const result = kept?.kind === 'feasible' ? kept : policy.plan(problem);
  const wanted = result.kind === 'feasible' ? result.plan : bestEffort(context, { problem, result, plannedRps });
  if (wanted === undefined || running === undefined) return wanted;
  const grown = withUse(spec, { ...wanted, stages: growing(wanted, running) });
  return keepsToBudget(spec, grown) ? grown : wanted;
}

/** Halvings of the way from the planned rate to that of the burst: a plan by the estimate takes milliseconds. */
const HALVINGS = 5;

/** What helps most where the burst is out of reach: with an accuracy floor the plan for as much of it as the budget can carry there. */
function bestEffort(
  { spec, policy }: ControlContext,
  asked: { readonly problem: PlanningProblem; readonly result: PlanResult; readonly plannedRps: number },
): Plan | undefined {
  const { problem, result, plannedRps } = asked;
  if (spec.objective.kind !== 'min-cost') return result.kind === 'infeasible' ? result.bestEffort : undefined;
  let [low, high] = [plannedRps, problem.arrivalRps];
  let found: Plan | undefined;
  for (let halving = 0; halving < HALVINGS; halving++) {
    const arrivalRps = (low + high) / 2;
    const less = policy.plan({ ...problem, arrivalRps });
    if (less.kind === 'feasible') [found, low] = [less.plan, arrivalRps];
    else high = arrivalRps;
  }
  return found;
}

/** The wanted stages, none of them with fewer replicas than run of the same kind. */
function growing(wanted: Plan, running: Plan): Plan['stages'] {
  const sameKind = (a: StagePlan, b: StagePlan): boolean =>
    a.variantId === b.variantId && a.resources.cpuCores === b.resources.cpuCores;
  return Object.fromEntries(
    Object.entries(wanted.stages).map(([id, stagePlans]) => {
      const [first, ...rest] = stagePlans;
      const [present] = running.stages[id as keyof typeof running.stages] ?? [];
      if (first === undefined || present === undefined || !sameKind(first, present)) return [id, stagePlans];
      return [id, [{ ...first, replicas: Math.max(first.replicas, present.replicas) }, ...rest]];
    }),
  );
}
