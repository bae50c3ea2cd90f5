/**
 * Random problems for timing the solver: every stage has 10 variants × 7 batch sizes × 5 core counts × 4 replica counts. A more accurate variant
 * is slower, a larger batch costs less per item and more time, more cores help with diminishing returns; sojourn times follow a closed-form
 * stand-in (service plus a queue that falls with spare capacity), since only the solver is timed here. SLO and budget are drawn between
 * what the fastest and the slowest, the smallest and the largest choices need, on a five by five grid of tightness.
 */

import { type Rng, SeededRng } from '../../packages/core/src/kernel/rng.js';
import type { AccuracyModel } from '../../packages/core/src/optimize/accuracy-model.js';
import type { PlanningGraph } from '../../packages/core/src/optimize/planning-graph.js';
import { finishTimes } from '../../packages/core/src/optimize/planning-graph.js';
import type { SurrogateOption, SurrogateProblem } from '../../packages/core/src/optimize/surrogate.js';

const VARIANTS = 10;
const BATCHES = [1, 2, 4, 8, 16, 32, 64];
const CORES = [1, 2, 4, 8, 16];
const REPLICAS = 4;
const TIGHTNESS = [0.06, 0.12, 0.2, 0.3, 0.45];

const between = (rng: Rng, low: number, high: number): number => low + (high - low) * rng.next();

function stageOptions(rng: Rng): {
  readonly options: readonly SurrogateOption[];
  readonly accuracies: readonly number[];
} {
  const rps = between(rng, 20, 100);
  const accuracies: number[] = [];
  const options: SurrogateOption[] = [];
  let serviceMs = between(rng, 3, 12);
  let accuracy = between(rng, 0.5, 0.7);
  for (let v = 0; v < VARIANTS; v++) {
    accuracies.push(accuracy);
    const fixed = between(rng, 0.2, 0.7);
    const scaling = between(rng, 0.6, 0.95);
    for (const cpuCores of CORES)
      for (const maxBatchSize of BATCHES) {
        const batchMs = (serviceMs * (fixed + (1 - fixed) * maxBatchSize)) / cpuCores ** scaling;
        const throughput = (1000 * maxBatchSize) / batchMs;
        const least = Math.floor(rps / throughput) + 1;
        for (let n = least; n < least + REPLICAS; n++) {
          const load = rps / (n * throughput);
          const meanMs = batchMs * (1 + load ** (2 * n) / (2 * n * (1 - load)));
          const tailMs = batchMs * (1.4 + (3 * load ** n) / (n * (1 - load)));
          const resources = { cpuCores, memoryBytes: 0, gpus: 0 };
          const costPerHour = cpuCores * n;
          options.push({
            option: {
              variantId: `v${v}` as never,
              variantIndex: v,
              curve: undefined as never,
              resources,
              maxBatchSize,
              replicas: n,
              capacityRps: n * throughput,
              meanMs,
              tailMs,
              exact: true,
              use: [costPerHour, 0, 0, costPerHour],
              switchingCostPerHour: 0,
            },
            latencyMs: meanMs + 0.5 * (tailMs - meanMs),
            costPerHour,
          });
        }
      }
    serviceMs *= between(rng, 1.15, 1.6);
    accuracy = Math.min(0.99, accuracy + between(rng, 0.01, 0.06) * (1 - accuracy) * 2);
  }
  return { options, accuracies };
}

/** Chain of n stages. */
export function chainGraph(n: number): PlanningGraph {
  const all = Array.from({ length: n }, (_, i) => i);
  return {
    order: all,
    predecessors: all.map((i) => (i === 0 ? [] : [i - 1])),
    successors: all.map((i) => (i === n - 1 ? [] : [i + 1])),
    awaited: all.map((i) => (i === 0 ? 0 : 1)),
    outputs: [n - 1],
    depth: n,
  };
}

function graphFrom(edges: readonly (readonly [number, number])[], n: number): PlanningGraph {
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

/** Twelve stages, three joins: a fork of two, one of three with a chain inside, and a skip. */
export function joinGraph(): PlanningGraph {
  return graphFrom(
    [
      [0, 1],
      [0, 2],
      [1, 3],
      [2, 3],
      [3, 4],
      [3, 5],
      [3, 6],
      [5, 7],
      [4, 8],
      [7, 8],
      [6, 8],
      [8, 9],
      [9, 10],
      [8, 11],
      [10, 11],
    ],
    12,
  );
}

export interface Instance {
  readonly problem: SurrogateProblem;
  readonly sloTightness: number;
  readonly budgetTightness: number;
}

const leastOf = (options: readonly SurrogateOption[], of: (o: SurrogateOption) => number): number =>
  options.reduce((least, o) => Math.min(least, of(o)), Number.POSITIVE_INFINITY);

/** The instance of a seed: tightness runs through the grid with the seed. */
export function solverInstance(graph: PlanningGraph, seed: number): Instance {
  const rng = new SeededRng(seed);
  const stages = graph.order.map((v) => stageOptions(rng.fork(`stage ${v}`)));
  const accuracy: AccuracyModel = {
    measured: [],
    productCounts: true,
    scenarios: [{ probability: 1, visited: stages.map(() => true) }],
    stageAccuracy: (stage, variant) => stages[stage]?.accuracies[variant] ?? 1,
    pas: (variants) => variants.reduce((product, v, s) => product * (stages[s]?.accuracies[v] ?? 1), 1),
  };
  const latency = (of: (o: readonly SurrogateOption[]) => number): number => {
    const finish = finishTimes(graph, (s) => of(stages[s]?.options ?? []));
    return Math.max(...graph.outputs.map((s) => finish[s] as number));
  };
  const fastest = latency((options) => leastOf(options, (o) => o.latencyMs));
  const best = stages.map(({ options }) => options.filter((o) => o.option.variantIndex === VARIANTS - 1));
  const slow = latency((options) => {
    const cheapest = leastOf(
      options.filter((o) => o.option.variantIndex === VARIANTS - 1),
      (o) => o.costPerHour,
    );
    return leastOf(
      options.filter((o) => o.option.variantIndex === VARIANTS - 1 && o.costPerHour === cheapest),
      (o) => o.latencyMs,
    );
  });
  const smallest = stages.reduce((sum, { options }) => sum + leastOf(options, (o) => o.costPerHour), 0);
  const largest = best.reduce((sum, options) => {
    const quickest = leastOf(options, (o) => o.latencyMs);
    return (
      sum +
      leastOf(
        options.filter((o) => o.latencyMs <= 1.2 * quickest),
        (o) => o.costPerHour,
      )
    );
  }, 0);
  const sloTightness = TIGHTNESS[seed % 5] as number;
  const budgetTightness = TIGHTNESS[Math.floor(seed / 5) % 5] as number;
  return {
    sloTightness,
    budgetTightness,
    problem: {
      graph,
      accuracy,
      objective: { kind: 'max-accuracy' },
      limits: [Math.round(smallest + budgetTightness * (largest - smallest)), Infinity, Infinity, Infinity],
      sloMs: fastest + sloTightness * (slow - fastest),
      stages: stages.map(({ options }) => options),
      labelLimit: 2_000_000,
    },
  };
}
