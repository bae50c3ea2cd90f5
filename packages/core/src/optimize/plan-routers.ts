/**
 * Plans of several routers. A policy plans for the router with the most load; each other router gets the same plan.
 * Then every router meets the SLO, and so do all requests together. `routersFor` tells when another router pays.
 */
import type { Budget, PipelineSpec } from '../model/pipeline-spec.js';
import { NO_PREDICTION, type PlanFixes, type PlanResult } from '../model/plan.js';
import {
  loadOfRouter,
  mostRouters,
  oneRouter,
  planOfRouter,
  planOfRouters,
  type RouterSplit,
  routersWithinBounds,
  specOfRouter,
  usualSplit,
  usualUnevenFraction,
} from '../model/router-split.js';
import type { RunningPlan } from '../model/running-plan.js';
import type { PlanningProblem } from './planning-problem.js';

/** Problem of the router with the most load. The same object for one router. */
export function problemOfRouter(problem: PlanningProblem, split: RouterSplit): PlanningProblem {
  if (split.count === 1) return problem;
  const { spec, budget, pins, runningPlan, candidates, burstiness, arrivalRps } = problem;
  const load = loadOfRouter({ arrivalRps, ...(burstiness && { burstiness }) }, split);
  const whole = {
    ...spec,
    budget: budget ?? spec.budget,
    stages: pins === undefined ? spec.stages : spec.stages.map((s) => ({ ...s, pins: pins[s.id] ?? s.pins })),
  };
  const { budget: _, pins: __, ...rest } = problem;
  return {
    ...rest,
    ...load,
    spec: specOfRouter(whole, split),
    ...(runningPlan && { runningPlan: runningOfRouter(runningPlan, split) }),
    ...(candidates && {
      candidates: candidates.map((stages) => planOfRouter({ stages, predicted: NO_PREDICTION }, split).stages),
    }),
  };
}

/** Every router has an equal share of the running replicas. */
function runningOfRouter({ stages }: RunningPlan, { count }: RouterSplit): RunningPlan {
  return {
    stages: Object.fromEntries(
      Object.entries(stages).map(([id, stage]) => [
        id,
        { ...stage, replicas: stage.replicas.filter((_, index) => index % count === 0) },
      ]),
    ),
  };
}

/** Result for all routers from that for one. The same object for one router. */
export function resultOfRouters(result: PlanResult, split: RouterSplit): PlanResult {
  if (split.count === 1) return result;
  if (result.kind === 'feasible') return { ...result, plan: planOfRouters(result.plan, split) };
  const { bestEffort, fixes } = result;
  return {
    ...result,
    fixes: fixesOfRouters(fixes, split),
    ...(bestEffort && { bestEffort: planOfRouters(bestEffort, split) }),
  };
}

function fixesOfRouters(fixes: PlanFixes, { count }: RouterSplit): PlanFixes {
  const { budget } = fixes;
  if (budget === undefined) return fixes;
  const { costPerHour, ...amounts } = budget;
  const all = Object.fromEntries(Object.entries(amounts).map(([name, amount]) => [name, count * amount])) as Budget;
  return {
    ...fixes,
    budget: { ...all, cpuCores: count * budget.cpuCores, ...(costPerHour !== undefined && { costPerHour }) },
  };
}

/** Requests per second that one router carries on one core: JSON of 1 KB (docs/guide/deployment.md, What one router carries). */
export const routerCapacityRps = 8_500;

/** Fraction of its capacity up to which a router adds little to the latency. */
const BUSY_FRACTION = 0.7;
/** One router less only if it would be this much below the limit, so that the number does not follow noise. */
const FEWER_FRACTION = 0.8;

export interface RouterNeed {
  readonly arrivalRps: number;
  readonly unevenFraction: number;
  /** Capacity of a router; default `routerCapacityRps`. */
  readonly capacityRps?: number;
  /** Current number, which stays while it is enough and not too large. */
  readonly current?: number;
}

/** Number of routers that a load needs. */
export function routersFor({
  arrivalRps,
  unevenFraction,
  capacityRps = routerCapacityRps,
  current,
}: RouterNeed): number {
  const mostRps = BUSY_FRACTION * capacityRps;
  const needed = (ofMostRps: number): number => {
    if (arrivalRps <= ofMostRps) return 1;
    return Math.min(mostRouters, Math.max(2, Math.ceil((arrivalRps * (1 + unevenFraction)) / ofMostRps)));
  };
  const now = needed(mostRps);
  if (current === undefined || current <= now) return now;
  return Math.min(current, needed(FEWER_FRACTION * mostRps));
}

/**
 * Split by the spec. With `auto`, the current number stays while it suits the rate; default: the number for the rate. Each
 * router has a replica of each stage, so bounds limit it.
 */
export function splitFor(
  spec: PipelineSpec,
  { arrivalRps, current }: { readonly arrivalRps: number; readonly current?: number | undefined },
): RouterSplit {
  const { routers = 1 } = spec;
  if (routers !== 'auto') return routers === 1 ? oneRouter : usualSplit(routers);
  const unevenFraction = usualUnevenFraction;
  const count = routersFor({ arrivalRps, unevenFraction, ...(current !== undefined && { current }) });
  return usualSplit(routersWithinBounds(spec, count));
}
