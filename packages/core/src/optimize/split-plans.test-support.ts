/** Plans for several routers, judged by the independent simulator of the split. */
import type { Burstiness, ExpectedLoad } from '../model/expected-load.js';
import type { Plan, PlanResult } from '../model/plan.js';
import { loadOfRouter, type RouterSplit, routerShares, usualSplit } from '../model/router-split.js';
import { requireCurves } from '../profile/service-curves.js';
import { verifiersOf } from '../simulate/plan-verifier.js';
import { optimize } from './optimize.js';
import { problemOfRouter, resultOfRouters } from './plan-routers.js';
import { problemOf, testPipeline, testStage } from './planning.test-support.js';
import type { PlanningProblem } from './planning-problem.js';
import { arrivalsByRouter, dispersionOf, latenciesOf, type OracleLoad } from './split-oracle.test-support.js';

const CORES = 96;
export const splitSpec = {
  ...testPipeline([
    testStage('detect', [
      { name: 'small', accuracy: 0.6, fixedMs: 12, perItemMs: 6, tail: 1.9 },
      { name: 'large', accuracy: 0.8, fixedMs: 22, perItemMs: 14, tail: 1.9 },
    ]),
    testStage('label', [{ name: 'only', accuracy: 0.9, fixedMs: 8, perItemMs: 5, tail: 1.9 }]),
  ]),
  slo: { latencyMs: 250, percentile: 99 },
  budget: { cpuCores: CORES },
  objective: { kind: 'min-cost', accuracyFloor: 0.7 } as const,
};

export function planForSplit(problem: PlanningProblem, split: RouterSplit, load: ExpectedLoad): PlanResult {
  const asked = problemOfRouter(problem, split);
  const verifierAt = verifiersOf({
    spec: asked.spec,
    curves: requireCurves(asked.spec, []),
    hostCores: CORES,
    seed: 1,
    workStageRequests: 30_000,
  });
  return resultOfRouters(optimize(asked, verifierAt(loadOfRouter(load, split))), split);
}

export const foundPlan = (result: PlanResult): Plan => {
  if (result.kind !== 'feasible') throw new Error(`no plan: ${JSON.stringify(result)}`);
  return result.plan;
};

/** Coefficient of variation of an Erlang law of ten phases, whose p99 is 1.9 times the mean. */
const CV = 0.316;

/** Latencies of the plan by router, from the independent simulator. */
export function oracleLatencies(
  plan: Plan,
  load: OracleLoad,
  fractions: readonly number[],
): readonly (readonly number[])[] {
  const curves = requireCurves(splitSpec, []);
  const stages = splitSpec.stages.map(({ id }) => {
    const part = plan.stages[id]?.[0];
    const curve = part && curves.curve(id, part.variantId, part.resources.cpuCores);
    if (part === undefined || curve === undefined) throw new Error(`no curve of ${id}`);
    const { maxBatchSize, replicas } = part;
    return { replicas: replicas / fractions.length, maxBatchSize, meanMs: (size: number) => curve.meanMs(size) };
  });
  return arrivalsByRouter(load, fractions, 7).map((times, router) =>
    latenciesOf(times, stages, { seed: 11 + router, cv: CV }),
  );
}

export const withinSlo = (latencies: readonly number[]): number =>
  latencies.filter((ms) => ms <= splitSpec.slo.latencyMs).length / latencies.length;

const DURATION_MS = 200_000;
const CONNECTIONS = 480;
export const poissonLoad = { arrivalRps: 240, durationMs: DURATION_MS, connections: CONNECTIONS };
const burstyLoad = { ...poissonLoad, burst: { highFactor: 6, highMs: 400, lowMs: 2_600 } };

function burstinessOf(load: OracleLoad): Burstiness {
  const [times = []] = arrivalsByRouter(load, [1], 7);
  const at = (windowMs: number) => dispersionOf(times, windowMs, load.durationMs);
  return { sloMs: splitSpec.slo.latencyMs, dispersionAtSlo: at(splitSpec.slo.latencyMs), dispersionAt10s: at(10_000) };
}

/** Loads of the comparison, by name. */
const splitLoads = { Poisson: poissonLoad, bursty: burstyLoad } as const;
export type SplitLoad = keyof typeof splitLoads;

export interface SplitOutcome {
  readonly plan: Plan;
  /** Latencies by router, if all have the same share. */
  readonly even: readonly (readonly number[])[];
  /** Latencies by router, if the shares are uneven by 20 %. */
  readonly uneven: readonly (readonly number[])[];
}

/** Plan of a load for a number of routers, with its latencies in the independent simulator. */
export function splitOutcome(name: SplitLoad, routers: number): SplitOutcome {
  const load = splitLoads[name];
  const bursts = name === 'bursty' ? { burstiness: burstinessOf(load) } : undefined;
  const split = usualSplit(routers);
  const problem = problemOf(splitSpec, load.arrivalRps, bursts);
  const plan = foundPlan(planForSplit(problem, split, { arrivalRps: load.arrivalRps, ...bursts }));
  const latencies = (of: RouterSplit) => oracleLatencies(plan, load, routerShares(of));
  return { plan, even: latencies({ ...split, unevenFraction: 0 }), uneven: latencies(split) };
}
