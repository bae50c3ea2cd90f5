/**
 * Costs of a combination at any load: CPU, GPU and memory time of a request at each variant's most efficient
 * core count and batch, and latency without waiting. If no cost is higher, a combination can replace another one in
 * every plan, apart from the rounding to whole replicas. With `when` edges, `any` or `quorum` joins, a request need not
 * wait for all stages. Then the latency of each stage is a cost, and no combination is too slow. A larger quorum costs
 * latency, too.
 */
import { stageLoads } from '../estimate/stage-load.js';
import type { StageId, VariantId } from '../model/ids.js';
import { OMITTED, omittedNodes, withoutNodes } from '../model/omission.js';
import type { PipelineSpec, VariantSpec } from '../model/pipeline-spec.js';
import type { ProfileSet } from '../model/profile-point.js';
import { quorumChoices, quorumOfChoice } from '../model/quorum.js';
import { resolvedSpec } from '../model/resolved-spec.js';
import { topologicalOrder } from '../model/stage-order.js';
import { variantOfChoice } from '../model/threshold.js';
import { plannedCurves, requireCurves, type ServiceCurve } from '../profile/service-curves.js';
import { lawQuantileMs } from '../profile/service-law.js';

/** A plan that needs at most this fraction of the budget fits in spite of whole replicas and waiting. */
const SURE_FRACTION = 0.5;
/** Latency below this fraction of the SLO decides nothing. */
const SHORT_FRACTION = 0.2;

/** Times of one item in ms; `coreMs` in core-milliseconds. */
interface VariantCost {
  readonly busyMs: number;
  readonly coreMs: number;
  /** Mean or SLO percentile of a batch of one: the smaller one. */
  readonly shortestMs: number;
}

/**
 * Costs by combination; undefined if no plan with it can serve `leastRps` within budget and SLO. Throws AppError
 * PROFILE_MISSING or PROFILE_INVALID.
 */
export function combinationCosts(
  spec: PipelineSpec,
  profiles: ProfileSet,
  choices: readonly Readonly<Record<StageId, VariantId>>[],
  rates: { readonly leastRps: number; readonly mostRps: number } = { leastRps: 0, mostRps: Number.POSITIVE_INFINITY },
): readonly (readonly number[] | undefined)[] {
  const times = combinationTimes(spec, profiles);
  const awaitsAll = spec.edges.every(({ when, join = 'all' }) => when === undefined && join === 'all');
  const { cpuCores, gpus, memoryBytes, costPerHour } = spec.budget;
  const limits = [cpuCores, gpus, memoryBytes].map((limit) => 1000 * (limit ?? Number.POSITIVE_INFINITY));
  const carriers = quorumChoices(spec).map(({ carrier }) => carrier);
  const costMatters = spec.objective.kind !== 'max-accuracy' || costPerHour !== undefined;
  return choices.map((choice) => {
    const { coreMs, gpuMs, memoryMs, endMs, stagesMs } = times(choice);
    const latenciesMs = awaitsAll ? [endMs] : stagesMs;
    const memoryCounts = spec.budget.memoryBytes !== undefined || spec.prices.memoryGibPerHour > 0;
    const costs = [coreMs, gpuMs, memoryCounts ? memoryMs : 0];
    const isTooMuch = (cost: number, kind: number) => cost > (limits[kind] as number) / rates.leastRps;
    const isTooSlow = awaitsAll && latenciesMs.some((ms) => ms > spec.slo.latencyMs);
    if (isTooSlow || costs.some(isTooMuch)) return undefined;
    // Costs that fit at all rates count the same, unless plans should be cheap.
    const counted = costs.map((cost, kind) => {
      if (costMatters) return cost;
      const limit = limits[kind] as number;
      return limit === Number.POSITIVE_INFINITY ? 0 : Math.max(cost, (SURE_FRACTION * limit) / rates.mostRps);
    });
    const shortMs = (SHORT_FRACTION * spec.slo.latencyMs) / latenciesMs.length;
    const quorums = carriers.map((id) => quorumOfChoice(choice[id] as VariantId) ?? 0);
    return [...counted, ...latenciesMs.map((ms) => Math.max(ms, shortMs)), ...quorums];
  });
}

/** Times of a combination in ms: sums over its stages, the longest path, and each stage. */
function combinationTimes(spec: PipelineSpec, profiles: ProfileSet) {
  const curves = plannedCurves(requireCurves(spec, profiles));
  const stated = stageLoads(spec, 1);
  const byVariant = new Map<VariantSpec, VariantCost>();
  for (const { id, variants } of spec.stages)
    for (const variant of variants) {
      const offered = variant.cpuCores.flatMap((cores) => curves.curve(id, variant.id, cores) ?? []);
      byVariant.set(variant, variantCost(offered, spec.slo.percentile / 100));
    }
  const order = topologicalOrder(spec);
  return (choice: Readonly<Record<StageId, VariantId>>) => {
    const omitted = spec.stages.flatMap(({ id }) => (choice[id] === OMITTED ? [id] : []));
    const resolved = resolvedSpec(withoutNodes(spec, omittedNodes(spec, omitted) ?? new Set()), (id) => choice[id]);
    const loads = resolved === spec ? stated : stageLoads(resolved, 1);
    let [coreMs, gpuMs, memoryMs] = [0, 0, 0];
    const endsMs = new Map<StageId, number>();
    const stagesMs: number[] = [];
    for (const id of order) {
      const before = spec.edges.filter(({ to }) => to === id).map(({ from }) => endsMs.get(from) ?? 0);
      const startMs = Math.max(0, ...before);
      const variants = spec.stages.find((stage) => stage.id === id)?.variants;
      const chosen = choice[id];
      const variant = chosen && variants?.find((each) => each.id === variantOfChoice(chosen));
      const cost = variant && byVariant.get(variant);
      endsMs.set(id, startMs + (cost?.shortestMs ?? 0));
      if (cost === undefined || variant === undefined) continue;
      const visits = loads.get(id)?.visits ?? 1;
      coreMs += visits * cost.coreMs;
      gpuMs += visits * cost.busyMs * variant.gpus;
      memoryMs += visits * cost.busyMs * variant.memoryBytes;
      stagesMs.push(cost.shortestMs);
    }
    return { coreMs, gpuMs, memoryMs, endMs: Math.max(...endsMs.values()), stagesMs };
  };
}

function variantCost(curves: readonly ServiceCurve[], sloFraction: number): VariantCost {
  const points = curves.flatMap((curve) =>
    curve.batchSizes.map((batchSize) => {
      const itemMs = curve.meanMs(batchSize) / batchSize;
      return { busyMs: itemMs / curve.shareFraction, coreMs: itemMs * curve.threadCores };
    }),
  );
  return {
    busyMs: Math.min(...points.map(({ busyMs }) => busyMs)),
    coreMs: Math.min(...points.map(({ coreMs }) => coreMs)),
    shortestMs: Math.min(...curves.map((curve) => Math.min(curve.meanMs(1), lawQuantileMs(curve.law(1), sloFraction)))),
  };
}
