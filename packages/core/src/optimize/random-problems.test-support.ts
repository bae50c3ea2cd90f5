/** Seeded random planning problems of every kind that the solver supports. They are small enough to try all plans. */
import { type Rng, SeededRng } from '../kernel/rng.js';
import type { AccuracyTable } from '../model/accuracy-table.js';
import { replicaId, stageId, variantId } from '../model/ids.js';
import type { EdgeSpec, Objective, PipelineSpec, StageSpec, VariantSpec } from '../model/pipeline-spec.js';
import type { RunningPlan } from '../model/running-plan.js';
import { type PreparedProblem, prepareProblem } from './options/prepared-problem.js';
import { type LatencyFactors, optionLatencyMs, type SurrogateOption, surrogateProblem } from './options/surrogate.js';
import type { Estimator, PlanningProblem } from './planning-problem.js';
import { graphLatencyMs } from './problem/planning-graph.js';
import { type ResourceUse, totalUse } from './problem/resource-use.js';
import { solve } from './surrogate/solve.js';

export const families = [
  'chain',
  'fork-join',
  'branches',
  'any-join',
  'quorum-join',
  'combine',
  'bridge',
  'when',
  'when-alternatives',
  'when-nested',
  'fan-out',
  'two-outputs',
  'pins',
  'two-budgets',
  'three-budgets',
  'accuracy-table',
  'switching-cost',
  'nodes',
  'nodes-switching',
  'shares',
] as const;

export type Family = (typeof families)[number];

export interface RandomProblem {
  readonly family: Family;
  readonly problem: PlanningProblem;
  readonly theta: number;
  readonly kappa: number;
}

export interface ProblemSize {
  readonly variants: number;
  readonly replicas: number;
  readonly batches: number;
}

/** Fraction of problems whose budgets are too small for any plan. */
const NARROW_SHARE = 0.12;

class Draw {
  readonly #rng: Rng;
  constructor(rng: Rng) {
    this.#rng = rng;
  }
  between(low: number, high: number): number {
    return low + (high - low) * this.#rng.next();
  }
  whole(low: number, high: number): number {
    return low + Math.floor(this.#rng.next() * (high - low + 1));
  }
  of<T>(items: readonly T[]): T {
    return items[Math.floor(this.#rng.next() * items.length)] as T;
  }
  chance(probability: number): boolean {
    return this.#rng.next() < probability;
  }
}

const edge = (from: string, to: string, more: Partial<EdgeSpec> = {}): EdgeSpec => ({
  from: stageId(from),
  to: stageId(to),
  ...more,
});
const when = (probability: number): Partial<EdgeSpec> => ({ when: { condition: 'output.wanted', probability } });

/** Names and edges of a family. Stages without out-edges are outputs. */
function shapeOf(
  family: Family,
  draw: Draw,
): { readonly names: readonly string[]; readonly edges: readonly EdgeSpec[] } {
  const chain = (names: readonly string[]) => names.slice(1).map((to, i) => edge(names[i] as string, to));
  const p = (): number => draw.between(0.1, 0.9);
  switch (family) {
    case 'fork-join':
      return { names: ['a', 'b', 'c', 'd'], edges: [edge('a', 'b'), edge('a', 'c'), edge('b', 'd'), edge('c', 'd')] };
    case 'branches':
      // In file order, both branches begin before one ends.
      return {
        names: ['a', 'b', 'c', 'd', 'e'],
        edges: [edge('a', 'c'), edge('b', 'd'), edge('c', 'e'), edge('d', 'e')],
      };
    case 'any-join':
    case 'quorum-join': {
      const join = { join: family === 'any-join' ? ('any' as const) : { quorum: 2 } };
      const names = family === 'any-join' ? ['a', 'b', 'c', 'd'] : ['b', 'c', 'e', 'd'];
      const branches = family === 'any-join' ? ['b', 'c'] : ['b', 'c', 'e'];
      const forks = family === 'any-join' ? branches.map((b) => edge('a', b)) : [];
      return { names, edges: [...forks, ...branches.map((b) => edge(b, 'd', join))] };
    }
    case 'combine': {
      // The vote needs two of three members. With a stage behind it, that stage waits for another member, too.
      const vote = ['b', 'c', 'e'].map((member) => edge(member, 'vote', { join: { quorum: 2 } }));
      const behind = draw.chance(0.5) ? [edge('vote', 'd'), edge('c', 'd')] : [];
      return { names: ['b', 'c', 'e', ...(behind.length > 0 ? ['d'] : [])], edges: [...vote, ...behind] };
    }
    case 'bridge':
      return {
        names: ['a', 'b', 'c', 'd'],
        edges: [edge('a', 'b'), edge('a', 'c'), edge('b', 'c'), edge('b', 'd'), edge('c', 'd')],
      };
    case 'when':
      return { names: ['a', 'b', 'c'], edges: [edge('a', 'b', when(p())), edge('b', 'c'), edge('a', 'c')] };
    case 'when-alternatives': {
      const first = draw.between(0.1, 0.6);
      return {
        names: ['a', 'b', 'c', 'd'],
        edges: [
          edge('a', 'b', when(first)),
          edge('a', 'c', when(draw.of([1 - first, 0.3]))),
          edge('b', 'd'),
          edge('c', 'd'),
        ],
      };
    }
    case 'when-nested':
      return {
        names: ['a', 'b', 'c', 'd'],
        edges: [edge('a', 'b', when(p())), edge('b', 'c', when(p())), edge('a', 'd'), edge('c', 'd')],
      };
    case 'fan-out':
      return {
        names: ['a', 'b', 'c'],
        edges: [edge('a', 'b', { fanOut: { expected: draw.whole(2, 4) } }), edge('b', 'c', { join: 'all' })],
      };
    case 'two-outputs':
      return { names: ['a', 'b', 'c'], edges: [edge('a', 'b'), edge('a', 'c')] };
    default: {
      const names = ['a', 'b', 'c', 'd'].slice(0, draw.whole(2, 4));
      return { names, edges: chain(names) };
    }
  }
}

function variantOf(index: number, cores: readonly number[], draw: Draw, size: ProblemSize): VariantSpec {
  const slower = draw.between(1.2, 2) ** index;
  const fixedMs = slower * draw.between(1, 8);
  const perItemMs = slower * draw.between(4, 20);
  const batches = [1, 4, 8].slice(0, size.batches);
  const tail = draw.between(1, 1.8);
  const whole = [...new Set(cores.map((c) => Math.max(1, c)))];
  return {
    id: variantId(`v${index}`),
    accuracy: { value: Math.min(0.99, draw.whole(50, 70) / 100 + 0.1 * index), metric: 'accuracy' },
    cpuCores: cores,
    memoryBytes: draw.whole(1, 4) * 2 ** 28,
    gpus: draw.chance(0.2) ? 1 : 0,
    loadMs: draw.between(500, 5000),
    profile: whole.flatMap((cpuCores) =>
      batches.map((batchSize) => {
        const meanMs = (fixedMs + perItemMs * batchSize) / cpuCores ** 0.8;
        return { cpuCores, batchSize, meanMs, p99Ms: meanMs * tail };
      }),
    ),
    parameters: {},
  };
}

function stageOf(name: string, family: Family, draw: Draw, size: ProblemSize): StageSpec {
  const cores = family === 'shares' ? draw.of([[0.25, 1], [0.5], [0.3, 0.7]]) : draw.of([[1], [1, 2], [2]]);
  const variants = Array.from({ length: draw.chance(0.2) ? 1 : size.variants }, (_, i) =>
    variantOf(i, cores, draw, size),
  );
  const pinned = family === 'pins' && draw.chance(0.6);
  return {
    id: stageId(name),
    kind: 'model',
    variants,
    bounds: {
      minReplicas: draw.chance(0.2) ? 2 : 1,
      maxReplicas: size.replicas,
      maxBatchWaitMs: 0,
      ...(family === 'pins' && draw.chance(0.3) ? { batchSizes: [1] } : {}),
    },
    pins: pinned
      ? draw.of([
          { variantId: draw.of(variants).id },
          { replicas: draw.whole(1, size.replicas) },
          { cpuCores: draw.of(cores) },
          { maxBatchSize: 1 },
        ])
      : {},
  };
}

function objectiveOf(draw: Draw): Objective {
  return draw.of<Objective>([
    { kind: 'max-accuracy' },
    { kind: 'max-accuracy' },
    { kind: 'max-accuracy' },
    { kind: 'max-accuracy' },
    { kind: 'min-cost', accuracyFloor: draw.between(0.1, 0.7) },
    { kind: 'weights', accuracy: draw.between(1, 20), cost: draw.between(0, 1), batch: draw.of([0, 1e-6, 0.01]) },
  ]);
}

function tableOf(stages: readonly StageSpec[], share: number, draw: Draw): AccuracyTable {
  let choices: Record<string, string>[] = [{}];
  for (const stage of stages) choices = choices.flatMap((c) => stage.variants.map((v) => ({ ...c, [stage.id]: v.id })));
  const drawn = choices.filter(() => draw.chance(share));
  return {
    combinations: (drawn.length > 0 ? drawn : choices).map(
      (variants) =>
        ({ variants, accuracy: draw.whole(30, 90) / 100 }) as unknown as AccuracyTable['combinations'][number],
    ),
  };
}

function runningPlan(stages: readonly StageSpec[], draw: Draw): RunningPlan {
  const running = stages.map((stage) => {
    const variant = draw.of(stage.variants);
    const resources = { cpuCores: draw.of(variant.cpuCores), memoryBytes: variant.memoryBytes, gpus: variant.gpus };
    const replicas = Array.from({ length: draw.whole(1, 2) }, (_, i) => ({
      replicaId: replicaId(`${stage.id}-${i}`),
      variantId: variant.id,
      resources,
      status: draw.of(['ready', 'ready', 'starting', 'failed'] as const),
    }));
    return [stage.id, { replicas, maxBatchSize: 1, maxBatchWaitMs: 0 }];
  });
  return { stages: Object.fromEntries(running) };
}

function bareSpec(family: Family, draw: Draw, size: ProblemSize): PipelineSpec {
  const { names, edges } = shapeOf(family, draw);
  const stages = names.map((name) => stageOf(name, family, draw, size));
  const combines = family === 'combine' ? [VOTE] : [];
  const ends = [...stages, ...combines].filter((s) => !edges.some((e) => e.from === s.id));
  const early = family === 'any-join' || family === 'quorum-join' || family === 'combine';
  const share = early ? draw.of([1, 0.8]) : draw.of([0.3, 1]);
  const measured = early || family === 'accuracy-table';
  return {
    name: family,
    baseDir: '.',
    slo: { latencyMs: 1e9, percentile: 99 },
    budget: {},
    prices: draw.of([
      ...(family === 'nodes-switching' ? [{ cpuCorePerHour: 0, memoryGibPerHour: 0, gpuPerHour: 0 }] : []),
      { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 },
      { cpuCorePerHour: 0.04, memoryGibPerHour: 0.005, gpuPerHour: 0.5 },
    ]),
    objective: objectiveOf(draw),
    sources: [{ name: 'in', to: stages.map((s) => s.id).filter((id) => !edges.some((e) => e.to === id)), tensors: [] }],
    stages,
    ...(combines.length > 0 && { combines }),
    edges,
    outputs: ends.map((s) => ({ from: s.id })),
    control: { mode: 'auto', intervalMs: 10_000, minDwellMs: 0, canary: false },
    admission: { maxQueueLength: 1000 },
    ...(measured ? { accuracyTable: tableOf(stages, share, draw) } : {}),
  };
}

const VOTE = { id: stageId('vote'), method: 'vote', tensor: 'label', output: 'label' } as const;

/** Pipeline of a family, without binding limits. */
export function randomSpec(family: Family, seed: number, size: ProblemSize): PipelineSpec {
  return bareSpec(family, new Draw(new SeededRng(seed).fork(family)), size);
}

type Options = readonly SurrogateOption[];

/** The solver's best choice under the given limits only. It determines where to put limits. */
function reference(
  prepared: PreparedProblem,
  factors: LatencyFactors,
  asked: { objective: Objective; sloMs: number },
): Options | undefined {
  const { nodes: _, ...problem } = surrogateProblem(prepared, factors);
  return solve({ ...problem, ...asked, limits: [Infinity, Infinity, Infinity, Infinity] }).choice;
}

/**
 * Sets the SLO between the minimum latency and the latency of the cheapest of the most accurate plans. Sets the budgets
 * between the needs of the cheapest and of the most accurate plan within that SLO. So both limits cost accuracy. A few
 * budgets are too small for any plan.
 */
function limited(problem: PlanningProblem, family: Family, draw: Draw, factors: LatencyFactors): PlanningProblem {
  const prepared = prepareProblem(problem);
  const accurate: Objective = { kind: 'max-accuracy' };
  const cheap: Objective = { kind: 'min-cost', accuracyFloor: 0 };
  const latencyOf = (choice: Options): number => graphLatencyMs(prepared.graph, (s) => choice[s]?.latencyMs ?? 0);
  const unhurried = reference(prepared, factors, { objective: accurate, sloMs: Infinity });
  if (unhurried === undefined) return problem;
  const fastestMs = graphLatencyMs(prepared.graph, (s) =>
    (prepared.options[s] ?? []).reduce((ms, o) => Math.min(ms, optionLatencyMs(o, factors)), Infinity),
  );
  const sloMs = fastestMs + draw.between(0, 0.3) * (latencyOf(unhurried) - fastestMs);
  const [dearest, cheapest] = [accurate, cheap].map((objective) =>
    reference(prepared, factors, { objective, sloMs: sloMs * 1.001 }),
  );
  if (dearest === undefined || cheapest === undefined) return problem;
  const [most, least] = [dearest, cheapest].map((choice) => totalUse(choice.map((o) => o.option.use))) as [
    ResourceUse,
    ResourceUse,
  ];
  const part = draw.between(0.2, 0.7);
  const narrow = draw.chance(NARROW_SHARE) ? draw.between(0.6, 0.95) : 1;
  const amount = (r: 0 | 1 | 2 | 3): number => narrow * (least[r] + part * Math.max(0, most[r] - least[r]));
  const two = family === 'two-budgets' || family === 'three-budgets';
  const budget = {
    cpuCores: Math.floor(amount(0) * 20 + 1e-6) / 20,
    ...(two ? { memoryBytes: amount(1) } : {}),
    ...(family === 'three-budgets' ? { gpus: Math.ceil(amount(2)), costPerHour: amount(3) } : {}),
  };
  const machines = { cpuCores: 4, memoryBytes: 3 * 2 ** 28, gpus: 1 };
  const nodes =
    family === 'nodes' || family === 'nodes-switching'
      ? {
          nodes: [
            { ...machines, count: draw.whole(1, 3) },
            { ...machines, cpuCores: 2, count: draw.whole(0, 2) },
          ],
        }
      : {};
  const spec = { ...problem.spec, slo: { latencyMs: sloMs * 1.001, percentile: 99 }, budget, ...nodes };
  return { ...problem, spec };
}

export function randomProblem(
  family: Family,
  seed: number,
  more: { readonly size: ProblemSize; readonly estimator: Estimator },
): RandomProblem {
  const draw = new Draw(new SeededRng(seed).fork(family));
  const spec = bareSpec(family, draw, more.size);
  const factors = { theta: draw.of([0, 0.5, 0.7, 1]), kappa: draw.of([1, 1, 1.2]) };
  const problem: PlanningProblem = {
    spec,
    profiles: [],
    arrivalRps: draw.of([2, 6, 15]),
    estimator: more.estimator,
    ...(family === 'switching-cost' || family === 'nodes-switching'
      ? { runningPlan: runningPlan(spec.stages, draw) }
      : {}),
  };
  return { family, problem: limited(problem, family, draw, factors), ...factors };
}
