/**
 * Options of a stage (variant, cores, batch, replicas) with latencies from simulating the stage alone. Each option
 * keeps sorted quantiles. All options of a stage use the same random order, so that luck affects them equally.
 */
import {
  type PipelineSpec,
  type Rng,
  SeededRng,
  type StageId,
  type StagePlan,
  type StageSpec,
  type VariantSpec,
} from '@equipoise/core/model';
import { type ArrivalProcess, poissonArrivals, simulatePlan } from '@equipoise/core/simulate';
import type { PlanJudge } from './plan-judge.js';

export interface StageOption {
  readonly stagePlan: StagePlan;
  readonly cpuCores: number;
  readonly memoryBytes: number;
  readonly cost: number;
  /** Time of the last item of a group, in the order of the stage. */
  readonly latenciesMs: Float64Array;
  readonly meanMs: number;
  readonly tailMs: number;
}

export interface StageLoad {
  readonly visits: number;
  readonly groupSize: number;
}

const MOST_LOAD_FACTOR = 0.998;
/** After a replica that shortens the tail by a smaller fraction, no further replicas are tried. */
const LEAST_GAIN = 0.01;
const MOST_EXTRA_REPLICAS = 24;
const QUANTILES = 2000;
const QUANTILES_OF_A_FAR_TAIL = 6000;

export class StageOptions {
  readonly #judge: PlanJudge;
  readonly #stage: StageSpec;
  readonly #load: StageLoad;
  readonly #order: Uint32Array;
  readonly #byVariant = new Map<string, readonly StageOption[]>();

  constructor(judge: PlanJudge, stage: StageSpec, load: StageLoad) {
    this.#judge = judge;
    this.#stage = stage;
    this.#load = load;
    this.#order = shuffled(sampleSize(judge), new SeededRng(7).fork(stage.id));
  }

  get stage(): StageSpec {
    return this.#stage;
  }

  /** Latencies that each option keeps. */
  get samples(): number {
    return this.#order.length;
  }

  get variants(): readonly VariantSpec[] {
    const { variants, pins } = this.#stage;
    return pins.variantId === undefined ? variants : variants.filter(({ id }) => id === pins.variantId);
  }

  /** Options within bounds, pins and budget; ascending by cost. */
  of(variant: VariantSpec): readonly StageOption[] {
    const known = this.#byVariant.get(variant.id);
    if (known !== undefined) return known;
    const { pins } = this.#stage;
    const cores = variant.cpuCores.filter((count) => pins.cpuCores === undefined || count === pins.cpuCores);
    const options = cores.flatMap((cpuCores) => this.#ofCores(variant, cpuCores));
    options.sort((a, b) => a.cost - b.cost || a.tailMs - b.tailMs);
    this.#byVariant.set(variant.id, options);
    return options;
  }

  #ofCores(variant: VariantSpec, cpuCores: number): StageOption[] {
    const { bounds, pins, id } = this.#stage;
    const curve = this.#judge.curves.curve(id, variant.id, cpuCores);
    if (curve === undefined) return [];
    const sizes = (bounds.batchSizes ?? curve.batchSizes).filter((size) => size <= curve.maxBatchSize);
    const wanted = pins.maxBatchSize === undefined ? sizes : sizes.filter((size) => size === pins.maxBatchSize);
    return wanted.flatMap((maxBatchSize) => {
      let itemsPerMs = 0;
      for (let k = 1; k <= maxBatchSize; k++) itemsPerMs = Math.max(itemsPerMs, k / curve.meanMs(k));
      const replicaRps = 1000 * Math.min(1, curve.shareFraction) * itemsPerMs;
      return this.#ofBatch(variant, { cpuCores, maxBatchSize, replicaRps });
    });
  }

  #ofBatch(
    variant: VariantSpec,
    { cpuCores, maxBatchSize, replicaRps }: { cpuCores: number; maxBatchSize: number; replicaRps: number },
  ): StageOption[] {
    const { bounds, pins } = this.#stage;
    const itemRps = this.#judge.arrivalRps * this.#load.visits;
    const fewest = Math.max(bounds.minReplicas, Math.ceil(itemRps / (replicaRps * MOST_LOAD_FACTOR) - 1e-9), 1);
    const budgetCores = this.#judge.spec.budget.cpuCores ?? Number.POSITIVE_INFINITY;
    const most = Math.min(bounds.maxReplicas, Math.floor(budgetCores / cpuCores + 1e-9), fewest + MOST_EXTRA_REPLICAS);
    const options: StageOption[] = [];
    for (let replicas = fewest; replicas <= most; replicas++) {
      if (pins.replicas !== undefined && pins.replicas !== replicas) continue;
      const option = this.#option(variant, { cpuCores, maxBatchSize, replicas });
      const before = options.at(-1);
      options.push(option);
      if (before !== undefined && option.tailMs > before.tailMs * (1 - LEAST_GAIN)) break;
    }
    return options;
  }

  #option(
    variant: VariantSpec,
    { cpuCores, maxBatchSize, replicas }: { cpuCores: number; maxBatchSize: number; replicas: number },
  ): StageOption {
    const { memoryBytes, gpus } = variant;
    const resources = { cpuCores, memoryBytes, gpus };
    const stagePlan: StagePlan = {
      variantId: variant.id,
      resources,
      maxBatchSize,
      maxBatchWaitMs: this.#stage.bounds.maxBatchWaitMs,
      replicas,
      trafficFraction: 1,
    };
    const sorted = this.#simulated(stagePlan);
    const { percentile } = this.#judge.spec.slo;
    return {
      stagePlan,
      cpuCores: cpuCores * replicas,
      memoryBytes: memoryBytes * replicas,
      cost: replicas * this.#judge.priceOf(resources),
      latenciesMs: Float64Array.from(this.#order, (rank) => sorted[rank] as number),
      meanMs: sorted.reduce((sum, ms) => sum + ms, 0) / sorted.length,
      tailMs: sorted[Math.min(sorted.length - 1, Math.ceil((sorted.length * percentile) / 100))] as number,
    };
  }

  /** Ascending latencies of groups at the stage alone. */
  #simulated(stagePlan: StagePlan): Float64Array {
    const { spec, arrivalRps, hostCores, curves } = this.#judge;
    const { visits, groupSize } = this.#load;
    const groupRps = (arrivalRps * visits) / groupSize;
    const items = Math.max(1, Math.round(groupSize));
    const wanted = this.#order.length;
    const durationMs = (wanted * 1300) / groupRps;
    const rng = new SeededRng(11).fork(this.#stage.id);
    const ends = new Map<number, number>();
    simulatePlan({
      spec: alone(spec, this.#stage),
      curves,
      plan: this.#judge.planOf({ [this.#stage.id as StageId]: [stagePlan] }),
      arrivals: inGroups(poissonArrivals(groupRps, durationMs, rng.fork('arrivals')), items),
      rng,
      hostCores,
      drops: false,
      onEnd: ({ arrivedAtMs, latencyMs = Number.POSITIVE_INFINITY }) =>
        ends.set(arrivedAtMs, Math.max(latencyMs, ends.get(arrivedAtMs) ?? 0)),
    });
    const counted = [...ends].sort(([a], [b]) => a - b).slice(Math.round(ends.size * 0.1));
    const sorted = Float64Array.from(counted, ([, latencyMs]) => latencyMs).sort();
    return Float64Array.from(
      { length: wanted },
      (_, i) => sorted[Math.min(sorted.length - 1, Math.floor(((i + 0.5) / wanted) * sorted.length))] ?? 0,
    );
  }
}

function sampleSize({ spec }: PlanJudge): number {
  return spec.slo.percentile > 99 ? QUANTILES_OF_A_FAR_TAIL : QUANTILES;
}

/** One stage as a pipeline. */
function alone(spec: PipelineSpec, stage: StageSpec): PipelineSpec {
  const { accuracyTable: _, ...rest } = spec;
  const sources = [{ name: 'input', to: [stage.id], tensors: [] }];
  return { ...rest, sources, stages: [stage], edges: [], outputs: [{ from: stage.id }] };
}

function inGroups(groups: ArrivalProcess, items: number): ArrivalProcess {
  let left = 0;
  let atMs: number | undefined;
  return {
    nextAtMs: () => {
      if (left === 0) {
        atMs = groups.nextAtMs();
        left = items;
      }
      left--;
      return atMs;
    },
  };
}

function shuffled(length: number, rng: Rng): Uint32Array {
  const order = Uint32Array.from({ length }, (_, i) => i);
  for (let i = length - 1; i > 0; i--) {
    const j = Math.floor(rng.next() * (i + 1));
    const kept = order[i] as number;
    order[i] = order[j] as number;
    order[j] = kept;
  }
  return order;
}
