/**
 * Accuracy scaling like Proteus (Ahmad et al., ASPLOS 2024): on a cluster of fixed size, it chooses the variants that
 * maximize accuracy and still serve the demand. The demand is the exponentially weighted mean of the arrivals. It solves
 * every 30 s, and at once if the demand exceeds the capacity. Batches are the largest whose p99 is within half of the
 * stage's share of the SLO, as in the paper. Its integer program is solved exactly: per variant, the fewest cores that
 * serve the demand; then all combinations of variants. If none fits, it takes the one that serves most.
 *
 * Leaves out: several variants of a stage at a time (query assignment), heterogeneous devices, several applications in
 * one cluster, and its adaptive batching: the simulator's batch former serves all policies. The paper serves single
 * models; here stages share the SLO equally. The budget is the cluster. Only placed replicas count as cost.
 */
import { AppError } from '../../model/app-error.js';
import type { PipelineSpec } from '../../model/pipeline-spec.js';
import type { Plan } from '../../model/plan.js';
import { planOfStages } from '../plan-facts.js';
import { fitsOnce, withinBudget } from './budget-share.js';
import {
  batchLimitMs,
  type Configuration,
  configurationOf,
  curvesOfVariant,
  largestBatch,
  replicasFor,
  stagesOf,
} from './hand-configuration.js';
import type { ObservingPolicy, PolicyInput } from './observing-policy.js';
import { meanOf } from './utilization-autoscaler.js';

const LOOK_MS = 1000;
const SOLVE_EVERY_MS = 30_000;
const MEMORY_S = 10;
/** Bound on the combinations of variants of one solve. */
const MOST_COMBINATIONS = 20_000;

export interface AccuracyPlan {
  readonly stages: Plan['stages'];
  readonly capacityRps: number;
}

/** Exponentially weighted mean of the counts, the newest last. */
export function demandRps(arrivalsPerSecond: readonly number[]): number {
  const recent = arrivalsPerSecond.slice(-10 * MEMORY_S);
  let [sum, weights] = [0, 0];
  for (const [i, count] of recent.entries()) {
    const weight = Math.exp((i - recent.length + 1) / MEMORY_S);
    sum += weight * count;
    weights += weight;
  }
  return weights === 0 ? 0 : sum / weights;
}

/** All ways to run each variant of each stage. */
type Menu = readonly (readonly (readonly Configuration[])[])[];

function menuOf({ spec, curves }: Pick<PolicyInput, 'spec' | 'curves'>): Menu {
  const limitMs = batchLimitMs(spec);
  return spec.stages.map((stage) => {
    const variants = stage.variants.map((variant) =>
      curvesOfVariant(curves, stage, variant).flatMap((curve) => {
        const maxBatchSize = largestBatch(stage, curve, limitMs);
        return maxBatchSize === undefined ? [] : [configurationOf(spec, { stage, variant, curve, maxBatchSize })];
      }),
    );
    const usable = variants.filter((ways) => ways.length > 0);
    return usable.length > 0
      ? usable
      : [stage.variants.flatMap((variant) => slowWays({ spec, curves }, stage, variant))];
  });
}

/** Batches of one, for a stage on which no variant is fast enough. */
function slowWays(
  { spec, curves }: Pick<PolicyInput, 'spec' | 'curves'>,
  ...[stage, variant]: [Configuration['stage'], Configuration['variant']]
): readonly Configuration[] {
  return curvesOfVariant(curves, stage, variant).map((curve) =>
    configurationOf(spec, { stage, variant, curve, maxBatchSize: 1 }),
  );
}

const coresFor = (configuration: Configuration, rps: number): number =>
  configuration.curve.cpuCores * replicasFor(configuration, rps);

const carriedRps = (configurations: readonly Configuration[], replicas: readonly number[]): number =>
  Math.min(
    ...configurations.map(({ itemRps, itemsPerRequest }, i) =>
      itemsPerRequest === 0 ? Number.POSITIVE_INFINITY : (itemRps * (replicas[i] ?? 0)) / itemsPerRequest,
    ),
  );

/** The most accurate plan for `rps` within the budget; of equal ones, the one with the fewest cores. */
function mostAccurate(spec: PipelineSpec, menu: Menu, rps: number): AccuracyPlan {
  const cheapest = menu.map((variants) =>
    variants.map((ways) => ways.toSorted((a, b) => coresFor(a, rps) - coresFor(b, rps))[0] as Configuration),
  );
  const all = combinations(cheapest);
  const fitting = all.filter((configurations) => fitsOnce(spec, configurations));
  // If none fits, the first combination names the cores that are missing.
  const plans = (fitting.length > 0 ? fitting : all.slice(0, 1)).map((configurations) => {
    const wanted = configurations.map((each) => replicasFor(each, rps));
    const replicas = withinBudget(spec, configurations, wanted);
    const stages = stagesOf(configurations, replicas);
    const capacityRps = carriedRps(configurations, replicas);
    return { ...planOfStages(spec, stages).predicted, stages, capacityRps, served: Math.min(rps, capacityRps) };
  });
  const [best] = plans.sort((a, b) => b.served - a.served || b.pas - a.pas || a.cpuCores - b.cpuCores);
  return best as AccuracyPlan;
}

function combinations<T>(lists: readonly (readonly T[])[]): readonly (readonly T[])[] {
  const count = lists.reduce((product, list) => product * list.length, 1);
  if (count > MOST_COMBINATIONS)
    throw new AppError(
      'WRONG_USAGE',
      `proteus-like compares at most ${MOST_COMBINATIONS} plans; this pipeline has ${count}.`,
    );
  return lists.reduce<readonly (readonly T[])[]>(
    (heads, list) => heads.flatMap((head) => list.map((each) => [...head, each])),
    [[]],
  );
}

export const proteus: ObservingPolicy = {
  intervalMs: LOOK_MS,
  begin({ spec, curves, sampleArrivalsPerSecond }) {
    const menu = menuOf({ spec, curves });
    let plan = mostAccurate(spec, menu, meanOf(sampleArrivalsPerSecond.slice(0, 10)));
    let nextMs = SOLVE_EVERY_MS;
    return {
      first: plan.stages,
      decide({ atMs, arrivalsPerSecond }) {
        const rps = demandRps(arrivalsPerSecond);
        if (atMs < nextMs && rps <= plan.capacityRps) return undefined;
        nextMs = atMs + SOLVE_EVERY_MS;
        plan = mostAccurate(spec, menu, rps);
        return plan.stages;
      },
    };
  },
};
