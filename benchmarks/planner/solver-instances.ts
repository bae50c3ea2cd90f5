/**
 * Random problems for timing the solver: per stage 10 variants × 7 batch sizes × 5 core counts × 4 replica counts. More
 * accurate variants are slower; larger batches cost less per item and take longer; cores have diminishing returns.
 * Sojourn times have a closed form, since only the solver is timed. On a 5 × 5 grid the SLO lies between the fastest
 * latency and that of the best plan without an SLO. The budget lies between the cheapest and the most accurate plan
 * within that SLO.
 */
import { type Rng, SeededRng } from '../../packages/core/src/kernel/rng.js';
import { variantId } from '../../packages/core/src/model/ids.js';
import type { SurrogateOption, SurrogateProblem } from '../../packages/core/src/optimize/options/surrogate.js';
import type { AccuracyModel } from '../../packages/core/src/optimize/problem/accuracy-model.js';
import {
  finishTimes,
  graphLatencyMs,
  type PlanningGraph,
} from '../../packages/core/src/optimize/problem/planning-graph.js';
import { solve } from '../../packages/core/src/optimize/surrogate/solve.js';
import { type ServiceCurve, serviceCurve } from '../../packages/core/src/profile/service-curves.js';

const VARIANTS = 10;
const BATCHES = [1, 2, 4, 8, 16, 32, 64];
const CORES = [1, 2, 4, 8, 16];
const REPLICAS = 4;
const THETA = 0.5;
const SLO_TIGHTNESS = [0.05, 0.1, 0.2, 0.3, 0.45];
const BUDGET_TIGHTNESS = [0.1, 0.25, 0.4, 0.55, 0.75];
const LABEL_LIMIT = 2_000_000;
/** Real prices per hour of a core and of a GiB. */
const CORE_PRICE = 0.0425;
const GIB_PRICE = 0.0057;

/** Whole cores at a price of 1, or real prices with memory that grows with the variant. */
export type PriceKind = 'cores' | 'real';

export interface SolverInstance {
  readonly problem: SurrogateProblem;
  readonly sloTightness: number;
  readonly budgetTightness: number;
}

interface DrawnVariant {
  readonly index: number;
  readonly accuracy: number;
  readonly serviceMs: number;
  /** Share of the service time independent of the batch. */
  readonly fixedShare: number;
  readonly coreScaling: number;
  readonly memoryGib: number;
}

const between = (rng: Rng, low: number, high: number): number => low + (high - low) * rng.next();

function drawnVariants(rng: Rng): readonly DrawnVariant[] {
  const variants: DrawnVariant[] = [];
  let serviceMs = between(rng, 3, 12);
  let accuracy = between(rng, 0.5, 0.7);
  for (let index = 0; index < VARIANTS; index++) {
    const memoryGib = (0.2 + serviceMs / 40) * between(rng, 0.8, 1.2);
    const shape = { fixedShare: between(rng, 0.2, 0.7), coreScaling: between(rng, 0.6, 0.95) };
    variants.push({ index, accuracy, serviceMs, memoryGib, ...shape });
    serviceMs *= between(rng, 1.15, 1.6);
    accuracy += between(rng, 0.02, 0.12) * (1 - accuracy);
  }
  return variants;
}

const anyCurve: ServiceCurve = serviceCurve(1, 1, [{ batchSize: 1, law: { kind: 'constant', ms: 1 } }]);

interface Load {
  readonly rps: number;
  readonly prices: PriceKind;
}

function batchOptions(
  variant: DrawnVariant,
  size: { cores: number; batch: number },
  load: Load,
): readonly SurrogateOption[] {
  const { cores, batch } = size;
  const { fixedShare, serviceMs, coreScaling } = variant;
  const batchMs = (serviceMs * (fixedShare + (1 - fixedShare) * batch)) / cores ** coreScaling;
  const throughputRps = (1000 * batch) / batchMs;
  const least = Math.floor(load.rps / throughputRps) + 1;
  return Array.from({ length: REPLICAS }, (_, i): SurrogateOption => {
    const n = least + i;
    const busy = load.rps / (n * throughputRps);
    const meanMs = batchMs * (1 + busy ** (2 * n) / (2 * n * (1 - busy)));
    const tailMs = batchMs * (1.4 + (3 * busy ** n) / (n * (1 - busy)));
    const gib = load.prices === 'real' ? variant.memoryGib : 0;
    const costPerHour = (load.prices === 'real' ? cores * CORE_PRICE + gib * GIB_PRICE : cores) * n;
    return {
      option: {
        variantId: variantId(`v${variant.index}`),
        variantIndex: variant.index,
        curve: anyCurve,
        resources: { cpuCores: cores, memoryBytes: gib * 2 ** 30, gpus: 0 },
        maxBatchSize: batch,
        replicas: n,
        capacityRps: n * throughputRps,
        meanMs,
        tailMs,
        exact: true,
        use: [cores * n, gib * 2 ** 30 * n, 0, costPerHour],
        switchingCostPerHour: 0,
      },
      latencyMs: meanMs + THETA * (tailMs - meanMs),
      costPerHour,
    };
  });
}

function stageOptions(variants: readonly DrawnVariant[], load: Load): readonly SurrogateOption[] {
  return variants.flatMap((variant) =>
    CORES.flatMap((cores) => BATCHES.flatMap((batch) => batchOptions(variant, { cores, batch }, load))),
  );
}

function graphFrom(n: number, edges: readonly (readonly [number, number])[]): PlanningGraph {
  const all = Array.from({ length: n }, (_, i) => i);
  const shape = {
    order: all,
    predecessors: all.map((v) => edges.filter((e) => e[1] === v).map((e) => e[0])),
    successors: all.map((v) => edges.filter((e) => e[0] === v).map((e) => e[1])),
    awaited: all.map((v) => edges.filter((e) => e[1] === v).length),
    outputs: all.filter((v) => !edges.some((e) => e[0] === v)),
  };
  return { ...shape, depth: Math.max(...finishTimes(shape, () => 1)) };
}

export const chainGraph = (n: number): PlanningGraph =>
  graphFrom(
    n,
    Array.from({ length: n - 1 }, (_, i) => [i, i + 1] as const),
  );

/** Twelve stages with three joins: a fork of two, one of three with a chain inside, one of two with a chain inside. */
export const joinGraph = (): PlanningGraph => {
  const first = [
    [0, 1],
    [0, 2],
    [1, 3],
    [2, 3],
  ] as const;
  const second = [
    [3, 4],
    [3, 5],
    [3, 6],
    [5, 7],
    [4, 8],
    [7, 8],
    [6, 8],
  ] as const;
  const third = [
    [8, 9],
    [9, 10],
    [8, 11],
    [10, 11],
  ] as const;
  return graphFrom(12, [...first, ...second, ...third]);
};

function solved(problem: SurrogateProblem): readonly SurrogateOption[] {
  const { choice } = solve(problem);
  if (choice === undefined) throw new Error('the generator needs a plan to set its limits by');
  return choice;
}

const coresOf = (choice: readonly SurrogateOption[]): number => choice.reduce((sum, o) => sum + o.option.use[0], 0);

function unlimitedProblem(graph: PlanningGraph, seed: number, prices: PriceKind): SurrogateProblem {
  const rng = new SeededRng(seed);
  const variants = graph.order.map((v) => drawnVariants(rng.fork(`stage ${v}`)));
  const stages = variants.map((list, v) =>
    stageOptions(list, { prices, rps: between(rng.fork(`load ${v}`), 20, 100) }),
  );
  const accuracyOf = (stage: number, variant: number): number => variants[stage]?.[variant]?.accuracy ?? 1;
  const accuracy: AccuracyModel = {
    measured: [],
    productCounts: true,
    scenarios: [{ probability: 1, visited: stages.map(() => true) }],
    stageAccuracy: accuracyOf,
    pas: (choice) => choice.reduce((product, v, s) => product * accuracyOf(s, v), 1),
  };
  const limits = [Infinity, Infinity, Infinity, Infinity] as const;
  return {
    graph,
    accuracy,
    objective: { kind: 'max-accuracy' },
    limits,
    sloMs: Infinity,
    stages,
    labelLimit: LABEL_LIMIT,
  };
}

/** Instance of a seed. The grid position cycles with the seed. */
export function solverInstance(graph: PlanningGraph, seed: number, prices: PriceKind = 'cores'): SolverInstance {
  const unlimited = unlimitedProblem(graph, seed, prices);
  const fastest = unlimited.stages.map((options) => options.reduce((ms, o) => Math.min(ms, o.latencyMs), Infinity));
  const unhurried = solved(unlimited);
  const fastestMs = graphLatencyMs(graph, (s) => fastest[s] ?? 0);
  const slowMs = graphLatencyMs(graph, (s) => unhurried[s]?.latencyMs ?? 0);
  const sloTightness = SLO_TIGHTNESS[seed % 5] as number;
  const budgetTightness = BUDGET_TIGHTNESS[Math.floor(seed / 5) % 5] as number;
  const inTime = { ...unlimited, sloMs: fastestMs + sloTightness * (slowMs - fastestMs) };
  const dearest = coresOf(solved(inTime));
  const cheapest = coresOf(solved({ ...inTime, objective: { kind: 'min-cost', accuracyFloor: 0 } }));
  const cores = Math.round(cheapest + budgetTightness * (dearest - cheapest));
  return { sloTightness, budgetTightness, problem: { ...inTime, limits: [cores, Infinity, Infinity, Infinity] } };
}
