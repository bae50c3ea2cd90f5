/**
 * A surrogate problem as a label problem: nodes in topological order, only the budgets that can bind, and per node only options that no other
 * beats in time, amounts and score at once.
 *
 * Amounts that are multiples of each other (cores and their price) become one with the tighter limit. An amount that not even the most
 * expensive choice exceeds is left out, and so is time where the slowest choice is fast enough.
 */
import { logPas } from '../accuracy-model.js';
import { resourceKinds } from '../resource-use.js';
import type { SurrogateOption, SurrogateProblem } from '../surrogate.js';
import {
  type Amount,
  finishMs,
  finishTimesMs,
  type Goal,
  type LabelProblem,
  NO_FLOOR,
  type NodeGraph,
  type NodeOptions,
  tailsMs,
} from './label-problem.js';
import { paretoFilter } from './pareto-filter.js';

/** What to maximize and what counts as cost. */
export interface LabelGoal {
  readonly goal: Goal;
  /** Cost of an option in the unit of the goal; left out where the goal knows none. */
  readonly costOf?: (option: SurrogateOption) => number;
  /** Largest cost allowed. */
  readonly costLimit?: number;
  /** Further sums to keep small, such as counts of replicas by size; they are tracked, not limited. */
  readonly tracked?: readonly ((option: SurrogateOption) => number)[];
  /** Asked of whole choices, one option per stage. */
  readonly accepts?: (choice: readonly SurrogateOption[]) => boolean;
}

const ROUNDING = 1e-9;
const withRounding = (limit: number): number => limit + ROUNDING * Math.max(1, limit);

interface DraftAmount {
  values: readonly Float64Array[];
  limit: number;
}

function graphOf({ graph }: SurrogateProblem): NodeGraph {
  const position = new Int32Array(graph.order.length);
  graph.order.forEach((stage, v) => {
    position[stage] = v;
  });
  const outputs = new Set(graph.outputs);
  const moved = (stages: readonly number[] | undefined): readonly number[] =>
    (stages ?? []).map((s) => position[s] as number);
  return {
    predecessors: graph.order.map((stage) => moved(graph.predecessors[stage])),
    successors: graph.order.map((stage) => moved(graph.successors[stage])),
    awaited: graph.order.map((stage) => graph.awaited[stage] as number),
    isOutput: graph.order.map((stage) => outputs.has(stage)),
  };
}

/** Ratio a ÷ b if it is the same for all options, else undefined. */
function commonRatio(a: readonly Float64Array[], b: readonly Float64Array[]): number | undefined {
  let ratio: number | undefined;
  for (let v = 0; v < a.length; v++)
    for (let o = 0; o < (a[v] as Float64Array).length; o++) {
      const [x, y] = [a[v]?.[o] as number, b[v]?.[o] as number];
      if (x === 0 && y === 0) continue;
      const here = x / y;
      ratio ??= here;
      if (!(here > 0) || Math.abs(here - ratio) > 1e-13 * ratio) return undefined;
    }
  return ratio;
}

const highest = (values: Float64Array): number => values.reduce((a, b) => Math.max(a, b), 0);

/** Amounts that matter, and where the cost went. */
function amountsOf(
  problem: SurrogateProblem,
  stages: readonly (readonly SurrogateOption[])[],
  { goal, costOf, costLimit, tracked }: LabelGoal,
): { readonly drafts: readonly DraftAmount[]; readonly cost?: { amount: number; perUnit: number } } {
  const valuesOf = (of: (o: SurrogateOption) => number): readonly Float64Array[] =>
    stages.map((options) => Float64Array.from(options, of));
  const drafts: DraftAmount[] = [];
  if (costOf !== undefined) drafts.push({ values: valuesOf(costOf), limit: costLimit ?? Number.POSITIVE_INFINITY });
  for (const of of tracked ?? []) drafts.push({ values: valuesOf(of), limit: Number.POSITIVE_INFINITY });
  resourceKinds.forEach((_, r) => {
    const limit = withRounding(problem.limits[r] as number);
    if (!Number.isFinite(limit)) return;
    const values = valuesOf((o) => o.option.use[r] as number);
    if (values.reduce((sum, perOption) => sum + highest(perOption), 0) <= limit) return;
    for (const draft of drafts) {
      const ratio = commonRatio(values, draft.values);
      if (ratio === undefined) continue;
      draft.limit = Math.min(draft.limit, limit / ratio);
      return;
    }
    drafts.push({ values, limit });
  });
  const costCounts = costOf !== undefined && goal.kind !== 'score';
  return { drafts, ...(costCounts ? { cost: { amount: 0, perUnit: 1 } } : {}) };
}

/** Options per node that can be part of a plan: within every limit when all other stages take their least of it. */
function fittingOptions(problem: SurrogateProblem, graph: NodeGraph): readonly (readonly SurrogateOption[])[] {
  const stages = problem.graph.order.map((stage) => problem.stages[stage] ?? []);
  const leastMs = stages.map((options) =>
    options.reduce((ms, o) => Math.min(ms, o.latencyMs), Number.POSITIVE_INFINITY),
  );
  const finish = finishTimesMs(graph, (v) => leastMs[v] as number);
  const tails = tailsMs(graph, (v) => leastMs[v] as number);
  const latestMs = withRounding(problem.sloMs);
  const leastUse = problem.limits.map((_, r) =>
    stages.reduce(
      (sum, options) =>
        sum + options.reduce((use, o) => Math.min(use, o.option.use[r] as number), Number.POSITIVE_INFINITY),
      0,
    ),
  );
  return stages.map((options, v) => {
    const spareMs = latestMs - ((finish[v] as number) - (leastMs[v] as number)) - (tails[v] as number);
    const spare = problem.limits.map((limit, r) => {
      const own = options.reduce((use, o) => Math.min(use, o.option.use[r] as number), Number.POSITIVE_INFINITY);
      return withRounding(limit) - ((leastUse[r] as number) - own);
    });
    return options.filter(
      (o) => o.latencyMs <= spareMs && o.option.use.every((amount, r) => amount <= (spare[r] as number)),
    );
  });
}

/** Options of a node by their coordinates, without the dominated. */
function nodeOf(draft: Omit<NodeOptions, 'count'>, timed: boolean): NodeOptions {
  const { latencyMs, score, amounts, source } = draft;
  const dims = 2 + amounts.length;
  const coordinates = new Float64Array(source.length * dims);
  for (let i = 0; i < source.length; i++) {
    coordinates[i * dims] = timed ? (latencyMs[i] as number) : 0;
    coordinates[i * dims + 1] = -(score[i] as number);
    for (let k = 0; k < amounts.length; k++) coordinates[i * dims + 2 + k] = amounts[k]?.[i] as number;
  }
  const kept = paretoFilter({ coordinates, count: source.length, dims });
  const pick = (from: Float64Array): Float64Array => Float64Array.from(kept, (i) => from[i] as number);
  return {
    count: kept.length,
    latencyMs: pick(latencyMs),
    score: pick(score),
    amounts: amounts.map(pick),
    source: Int32Array.from(kept, (i) => source[i] as number),
  };
}

/** Compiles `problem` toward a goal. */
export function compileLabels(problem: SurrogateProblem, target: LabelGoal): LabelProblem {
  const { order } = problem.graph;
  const graph = graphOf(problem);
  const stages = fittingOptions(problem, graph);
  const slowestMs = finishMs(graph, (v) => (stages[v] ?? []).reduce((ms, o) => Math.max(ms, o.latencyMs), 0));
  const timed = slowestMs > withRounding(problem.sloMs);
  const { drafts, cost } = amountsOf(problem, stages, target);
  const scored = target.goal.kind !== 'cost' || target.goal.scoreFloor > NO_FLOOR;
  const nodes = stages.map((options, v) => {
    const all = problem.stages[order[v] as number] ?? [];
    const positions = new Map(all.map((o, i) => [o, i]));
    return nodeOf(
      {
        latencyMs: Float64Array.from(options, (o) => o.latencyMs),
        score: Float64Array.from(options, (o) =>
          !scored ? 0 : logPas(problem.accuracy.stageAccuracy(order[v] as number, o.option.variantIndex)),
        ),
        amounts: drafts.map((draft) => draft.values[v] as Float64Array),
        source: Int32Array.from(options, (o) => positions.get(o) as number),
      },
      timed,
    );
  });
  const compiled: LabelProblem = {
    nodes,
    graph,
    latencyLimitMs: timed ? withRounding(problem.sloMs) : Number.POSITIVE_INFINITY,
    amounts: drafts.map(({ limit }): Amount => ({ limit })),
    ...(cost === undefined ? {} : { cost }),
    goal: target.goal,
    scenarios: problem.accuracy.scenarios.map(({ probability, visited }) => ({
      probability,
      visited: order.map((stage) => visited[stage] as boolean),
    })),
    labelLimit: problem.labelLimit,
  };
  const { accepts } = target;
  if (accepts === undefined) return compiled;
  return { ...compiled, accepts: (choice) => accepts(chosenOptions(problem, compiled, choice)) };
}

/** A choice of the compiled problem as options, one per stage in the order of the pipeline file. */
export function chosenOptions(
  problem: SurrogateProblem,
  { nodes }: LabelProblem,
  choice: Int32Array,
): readonly SurrogateOption[] {
  const chosen = new Array<SurrogateOption>(choice.length);
  problem.graph.order.forEach((stage, v) => {
    chosen[stage] = problem.stages[stage]?.[nodes[v]?.source[choice[v] as number] as number] as SurrogateOption;
  });
  return chosen;
}
