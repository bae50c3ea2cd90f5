/**
 * Plans for several routers, judged by a simulator that shares no code with the product, and the most load that two
 * routers carry against one. The router is the bottleneck there: one thread with first-come service.
 */
import type { Plan } from '@equipoise/core/model';
import { routerCapacityRps } from '../../packages/core/src/optimize/plan-routers.js';
import { arrivalsByRouter, latenciesOf } from '../../packages/core/src/optimize/split-oracle.test-support.js';
import {
  type SplitLoad,
  splitOutcome,
  splitSpec,
  withinSlo,
} from '../../packages/core/src/optimize/split-plans.test-support.js';

export interface SplitRow {
  readonly load: SplitLoad;
  readonly routers: number;
  readonly shares: 'even' | 'uneven by 20 %';
  readonly replicas: number;
  readonly sloMs: number;
  readonly p99Ms: number;
  /** Requests within the SLO: all, and of the router with the fewest. */
  readonly attainment: number;
  readonly fewestAttainment: number;
}

export interface ThroughputRow {
  readonly connections: number;
  readonly seeds: number;
  /** Most load of two routers as a multiple of that of one: mean and least over the seeds. */
  readonly mean: number;
  readonly least: number;
}

export interface SplitFigures {
  readonly plans: readonly SplitRow[];
  readonly throughput: readonly ThroughputRow[];
}

const SEEDS = 20;
/** Latency that the router may add at most, at the 99th percentile of all requests. */
const ROUTER_P99_MS = 5;
const DURATION_MS = 4_000;

export function measureSplit(): SplitFigures {
  const plans = (['Poisson', 'bursty'] as const).flatMap((load) =>
    [2, 4, 16].flatMap((routers) => splitRows(load, routers)),
  );
  return { plans, throughput: [16, 64, 256].map(throughputRow) };
}

function splitRows(load: SplitLoad, routers: number): readonly SplitRow[] {
  const { plan, even, uneven } = splitOutcome(load, routers);
  const row = (shares: SplitRow['shares'], byRouter: readonly (readonly number[])[]): SplitRow => ({
    load,
    routers,
    shares,
    replicas: replicasOf(plan),
    sloMs: splitSpec.slo.latencyMs,
    p99Ms: p99Of(byRouter.flat()),
    attainment: withinSlo(byRouter.flat()),
    fewestAttainment: Math.min(...byRouter.map(withinSlo)),
  });
  return [row('even', even), row('uneven by 20 %', uneven)];
}

const replicasOf = ({ stages }: Plan): number =>
  Object.values(stages)
    .flat()
    .reduce((sum, { replicas }) => sum + replicas, 0);

function p99Of(latencies: readonly number[]): number {
  const sorted = latencies.toSorted((a, b) => a - b);
  return sorted[Math.ceil(0.99 * sorted.length) - 1] ?? Number.NaN;
}

function throughputRow(connections: number): ThroughputRow {
  const one = mostRps([1], connections, 1);
  const ratios = Array.from(
    { length: SEEDS },
    (_, seed) => mostRps(sharesOf(connections, seed), connections, seed) / one,
  );
  return {
    ...{ connections, seeds: SEEDS, least: Math.min(...ratios) },
    mean: ratios.reduce((sum, ratio) => sum + ratio, 0) / SEEDS,
  };
}

/** A Service gives each connection to one of two routers at random. */
function sharesOf(connections: number, seed: number): readonly number[] {
  let state = 2_654_435_761 * (seed + 1);
  let first = 0;
  for (let connection = 0; connection < connections; connection++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    if (state < 2 ** 31) first += 1;
  }
  return [first / connections, 1 - first / connections];
}

/** Highest rate (within 1 %) at which the 99th percentile of the time in the routers stays below its limit. */
function mostRps(fractions: readonly number[], connections: number, seed: number): number {
  const router = { replicas: 1, maxBatchSize: 1, meanMs: () => 1000 / routerCapacityRps };
  const holds = (arrivalRps: number): boolean => {
    const load = { arrivalRps, durationMs: DURATION_MS, connections };
    const all = arrivalsByRouter(load, fractions, seed).flatMap((times, index) =>
      latenciesOf(times, [router], { seed: seed + index, cv: 1 }),
    );
    return p99Of(all) <= ROUTER_P99_MS;
  };
  let [low, high] = [0, routerCapacityRps * fractions.length];
  while (high - low > 0.01 * high) {
    const middle = (low + high) / 2;
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return low;
}
