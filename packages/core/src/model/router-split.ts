/**
 * Split of a pipeline over several routers. A balancer spreads the requests; each router has its own queues and a
 * disjoint share of the replicas, so it cannot use idle replicas of others. The plan is that of the router with the
 * most load, for all routers.
 */
import { normalQuantile } from '../kernel/normal-quantile.js';
import type { LoadObservation } from './decision.js';
import type { ExpectedLoad } from './expected-load.js';
import type { Budget, PipelineSpec, StageSpec } from './pipeline-spec.js';
import type { Plan, StagePlan } from './plan.js';

/**
 * `unevenFraction` (0…1): excess of the largest load of a router over the mean load. `spreads`: what the balancer spreads.
 * Requests of a connection stay together, and so do their bursts.
 */
export interface RouterSplit {
  readonly count: number;
  readonly unevenFraction: number;
  readonly spreads: 'requests' | 'connections';
}

export const mostRouters = 64;

/** Balancers of connections keep to this, if no connection carries a large part of the load. */
export const usualUnevenFraction = 0.2;

export const oneRouter: RouterSplit = { count: 1, unevenFraction: 0, spreads: 'requests' };

/** Split of `count` routers behind a balancer of long-lived connections. */
export function usualSplit(count: number, unevenFraction = usualUnevenFraction): RouterSplit {
  return count === 1 ? oneRouter : { count, unevenFraction, spreads: 'connections' };
}

/** Field of a stage that allows no equal number of replicas at each router, and why. */
export interface RouterBoundsProblem {
  readonly index: number;
  readonly field: 'bounds' | 'pins';
  readonly message: string;
}

/** Stages whose bounds or pins allow no equal number of replicas at each of `count` routers. */
export function routerBoundsProblems(
  { stages }: Pick<PipelineSpec, 'stages'>,
  count: number,
): readonly RouterBoundsProblem[] {
  if (count === 1) return [];
  return stages.flatMap(
    ({ id, bounds: { minReplicas: min, maxReplicas: max }, pins }, index): RouterBoundsProblem[] => {
      const needed = `${count} routers need a multiple of ${count} replicas of ${id}`;
      if (pins.replicas !== undefined && pins.replicas % count !== 0) {
        const message = `${needed}, found a pin of ${pins.replicas}; change the pin, or the number of routers`;
        return [{ index, field: 'pins', message }];
      }
      if (Math.floor(max / count) >= Math.ceil(Math.max(1, min) / count)) return [];
      const message = `${needed}, found none from ${min} to ${max}; change the bounds, or the number of routers`;
      return [{ index, field: 'bounds', message }];
    },
  );
}

/** The largest number of routers up to `count` that the bounds and pins of all stages allow. */
export function routersWithinBounds(spec: Pick<PipelineSpec, 'stages'>, count: number): number {
  const counts = Array.from({ length: count }, (_, index) => count - index);
  return counts.find((each) => routerBoundsProblems(spec, each).length === 0) ?? 1;
}

/** Fractions of the load by router, in equal steps from the largest to the smallest. Their sum is 1. */
export function routerShares({ count, unevenFraction }: RouterSplit): readonly number[] {
  if (count === 1) return [1];
  return Array.from({ length: count }, (_, i) => (1 + unevenFraction * (1 - (2 * i) / (count - 1))) / count);
}

/** Fraction of the load at the router with the most load. */
export const largestShare = ({ count, unevenFraction }: RouterSplit): number =>
  count === 1 ? 1 : Math.min(1, (1 + unevenFraction) / count);

/** Probability that the largest share exceeds the bound. */
const EXCEEDED = 0.05;

/**
 * Excess of the largest load of a router if each of `connections` equal connections goes to a random router: in 95 % of
 * the splits, no share is larger. A share is binomial, so its deviation is √((count − 1) ÷ connections) of the mean.
 */
export function unevenOfConnections(connections: number, count: number): number {
  if (count === 1) return 0;
  const deviations = normalQuantile(1 - EXCEEDED / count);
  return Math.min(count - 1, deviations * Math.sqrt((count - 1) / connections));
}

/** Windows of the envelope: upper end of a random share, in standard deviations. */
const ENVELOPE_DEVIATIONS = 3;

/**
 * Load of the router with the most load. A random share p of a stream with index of dispersion D has 1 + p·(D − 1) (Cox
 * and Isham, Point Processes, 1980). Connections keep their bursts, so D stays.
 */
export function loadOfRouter(load: ExpectedLoad, split: RouterSplit): ExpectedLoad {
  if (split.count === 1) return load;
  const share = largestShare(split);
  const { arrivalRps, burstiness, envelope, backlog } = load;
  const thinned = (dispersion: number): number =>
    split.spreads === 'connections' ? dispersion : 1 + share * (dispersion - 1);
  const part = (arrivals: number): number =>
    Math.min(arrivals, share * arrivals + ENVELOPE_DEVIATIONS * Math.sqrt(share * (1 - share) * arrivals));
  return {
    arrivalRps: share * arrivalRps,
    ...(burstiness && {
      burstiness: {
        ...burstiness,
        dispersionAtSlo: thinned(burstiness.dispersionAtSlo),
        dispersionAt10s: thinned(burstiness.dispersionAt10s),
      },
    }),
    ...(envelope && {
      envelope: envelope.map(({ windowS, arrivals }) => ({ windowS, arrivals: Math.ceil(part(arrivals)) })),
    }),
    ...(backlog && { backlog: { ...backlog, requests: Math.ceil(part(backlog.requests)) } }),
  };
}

/**
 * Observed load of the router with the most load. The routers measure burstiness themselves, so it is that of one already. Counts
 * are rounded as a running sum, so that fractions are not lost.
 */
export function loadAtRouter(load: LoadObservation, split: RouterSplit): LoadObservation {
  if (split.count === 1) return load;
  const share = largestShare(split);
  let sum = 0;
  const arrivalsPerSecond = load.arrivalsPerSecond.map((arrivals) => {
    const before = Math.round(sum);
    sum += share * arrivals;
    return Math.round(sum) - before;
  });
  const latest = load.latest?.map(({ windowS, arrivals }) => ({ windowS, arrivals: share * arrivals }));
  return { ...load, arrivalsPerSecond, ...(latest && { latest }) };
}

/**
 * Pipeline of one router: its share of budget and replicas, at prices of all routers, so that costs and objective values
 * are those of all. `nodes` stays: the machines have to hold the replicas of all routers (`copies`).
 */
export function specOfRouter(spec: PipelineSpec, { count }: RouterSplit): PipelineSpec {
  if (count === 1) return spec;
  const { prices } = spec;
  return {
    ...spec,
    copies: count * (spec.copies ?? 1),
    budget: shareOfBudget(spec.budget, count),
    prices: {
      cpuCorePerHour: count * prices.cpuCorePerHour,
      memoryGibPerHour: count * prices.memoryGibPerHour,
      gpuPerHour: count * prices.gpuPerHour,
    },
    stages: spec.stages.map((stage) => stageOfRouter(stage, count)),
  };
}

/** The cost stays, because prices are those of all routers. */
function shareOfBudget({ costPerHour, ...amounts }: Budget, count: number): Budget {
  const shares = Object.fromEntries(Object.entries(amounts).map(([name, limit]) => [name, limit / count]));
  return { ...shares, ...(costPerHour !== undefined && { costPerHour }) };
}

/** The upper bound goes first: a router that is gone may leave a number of routers that suits no lower bound or pin. */
function stageOfRouter(stage: StageSpec, count: number): StageSpec {
  const { bounds, pins } = stage;
  const maxReplicas = Math.max(1, Math.floor(bounds.maxReplicas / count));
  const shareOf = (replicas: number): number => Math.min(maxReplicas, Math.ceil(replicas / count));
  return {
    ...stage,
    bounds: { ...bounds, minReplicas: shareOf(bounds.minReplicas), maxReplicas },
    ...(pins.replicas !== undefined && { pins: { ...pins, replicas: shareOf(pins.replicas) } }),
  };
}

const withReplicas = (stages: Plan['stages'], replicasOf: (replicas: number) => number): Plan['stages'] =>
  Object.fromEntries(
    Object.entries(stages).map(([id, parts]): [string, readonly StagePlan[]] => [
      id,
      parts.map((part) => ({ ...part, replicas: replicasOf(part.replicas) })),
    ]),
  );

/**
 * Plan of all routers from that of one. Its capacity is the rate at which the router with the most load is full. The
 * cost is already that of all (`specOfRouter`).
 */
export function planOfRouters(plan: Plan, split: RouterSplit): Plan {
  const { count } = split;
  if (count === 1) return plan;
  const { predicted } = plan;
  return {
    ...plan,
    routers: count,
    stages: withReplicas(plan.stages, (replicas) => count * replicas),
    predicted: {
      ...predicted,
      capacityRps: predicted.capacityRps / largestShare(split),
      cpuCores: count * predicted.cpuCores,
    },
  };
}

/** Inverse of `planOfRouters`. Replicas that are no multiple of the routers are rounded down, but to at least one. */
export function planOfRouter(plan: Plan, split: RouterSplit): Plan {
  const { count } = split;
  if (count === 1) return plan;
  const { routers: _, predicted, ...rest } = plan;
  return {
    ...rest,
    stages: withReplicas(plan.stages, (replicas) => (replicas === 0 ? 0 : Math.max(1, Math.floor(replicas / count)))),
    predicted: {
      ...predicted,
      capacityRps: predicted.capacityRps * largestShare(split),
      cpuCores: predicted.cpuCores / count,
    },
  };
}
