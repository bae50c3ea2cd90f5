/**
 * Compiles a surrogate problem to a label problem with only the budgets that can bind. Proportional amounts (cores and
 * their price) become one amount with the tighter limit.
 */

import type { SurrogateOption, SurrogateProblem } from '../options/surrogate.js';
import { logPas } from '../problem/accuracy-model.js';
import { resourceKinds, withRounding } from '../problem/resource-use.js';
import { labelGraph } from './label-graph.js';
import { type Amount, finishMs, type Goal, type LabelProblem, NO_FLOOR, type NodeOptions } from './label-problem.js';
import { largest } from './relaxed-score.js';

export interface LabelGoal {
  readonly goal: Goal;
  /** Cost of an option in the unit of the goal; absent if the goal ignores cost. */
  readonly costOf?: (option: SurrogateOption) => number;
  readonly costLimit?: number;
  /** Additional sums to keep small, without a limit: replica counts by replica size. */
  readonly tracked?: readonly ((option: SurrogateOption) => number)[];
  /** Filter for complete choices. */
  readonly accepts?: (choice: readonly SurrogateOption[]) => boolean;
}

interface DraftAmount {
  values: readonly Float64Array[];
  limit: number;
}

/** Ratio a ÷ b; undefined if options differ in it. */
function commonRatio(a: readonly Float64Array[], b: readonly Float64Array[]): number | undefined {
  let ratio = -1;
  for (let v = 0; v < a.length; v++) {
    const [above, below] = [a[v] as Float64Array, b[v] as Float64Array];
    for (let o = 0; o < above.length; o++) {
      if (above[o] === 0 && below[o] === 0) continue;
      const here = (above[o] as number) / (below[o] as number);
      if (ratio < 0) ratio = here;
      if (!(here > 0 && Math.abs(here - ratio) <= 1e-13 * ratio)) return undefined;
    }
  }
  return ratio;
}

function column(options: readonly SurrogateOption[], of: (o: SurrogateOption) => number): Float64Array {
  const values = new Float64Array(options.length);
  for (let i = 0; i < values.length; i++) values[i] = of(options[i] as SurrogateOption);
  return values;
}

function amountsOf(
  problem: SurrogateProblem,
  stages: readonly (readonly SurrogateOption[])[],
  { goal, costOf, costLimit, tracked }: LabelGoal,
): { readonly drafts: readonly DraftAmount[]; readonly cost?: { amount: number; perUnit: number } } {
  const valuesOf = (of: (o: SurrogateOption) => number): readonly Float64Array[] =>
    stages.map((options) => column(options, of));
  const drafts: DraftAmount[] = [];
  if (costOf !== undefined) drafts.push({ values: valuesOf(costOf), limit: costLimit ?? Number.POSITIVE_INFINITY });
  for (const of of tracked ?? []) drafts.push({ values: valuesOf(of), limit: Number.POSITIVE_INFINITY });
  resourceKinds.forEach((_, r) => {
    const limit = withRounding(problem.limits[r] as number);
    if (!Number.isFinite(limit)) return;
    const values = valuesOf((o) => o.option.use[r] as number);
    if (values.reduce((sum, perOption) => sum + largest(perOption), 0) <= limit) return;
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

export function compileLabels(problem: SurrogateProblem, target: LabelGoal): LabelProblem {
  const { order, ...graph } = labelGraph(problem.graph);
  const stages = order.map((stage) => problem.stages[stage] ?? []);
  const slowestMs = finishMs(graph, (v) => (stages[v] ?? []).reduce((ms, o) => Math.max(ms, o.latencyMs), 0));
  const timed = slowestMs > withRounding(problem.sloMs);
  const { drafts, cost } = amountsOf(problem, stages, target);
  const scored = target.goal.kind !== 'cost' || target.goal.scoreFloor > NO_FLOOR;
  const nodes = stages.map((options, v): NodeOptions => {
    const stage = order[v] as number;
    const scoreOf = (o: SurrogateOption): number =>
      logPas(problem.accuracy.stageAccuracy(stage, o.option.variantIndex));
    return {
      count: options.length,
      latencyMs: column(options, (o) => o.latencyMs),
      score: scored ? column(options, scoreOf) : new Float64Array(options.length),
      amounts: drafts.map((draft) => draft.values[v] as Float64Array),
      source: Int32Array.from(options.keys()),
    };
  });
  const compiled: LabelProblem = {
    nodes,
    graph,
    latencyLimitMs: timed ? withRounding(problem.sloMs) : Number.POSITIVE_INFINITY,
    amounts: drafts.map(({ limit }): Amount => ({ limit })),
    cost,
    goal: target.goal,
    scenarios: problem.accuracy.scenarios.map(({ probability, visited }) => ({
      probability,
      visited: order.map((stage) => visited[stage] as boolean),
    })),
    labelLimit: problem.labelLimit,
  };
  const { accepts } = target;
  if (accepts === undefined) return compiled;
  return { ...compiled, accepts: (sources) => accepts(chosenOptions(problem, sources)) };
}

/** Options of a solution, in file order. `sources`: option positions by node. */
export function chosenOptions(problem: SurrogateProblem, sources: Int32Array): readonly SurrogateOption[] {
  const chosen = new Array<SurrogateOption>(sources.length);
  labelGraph(problem.graph).order.forEach((stage, v) => {
    chosen[stage] = problem.stages[stage]?.[sources[v] as number] as SurrogateOption;
  });
  return chosen;
}
