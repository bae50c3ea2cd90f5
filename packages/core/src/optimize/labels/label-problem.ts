/**
 * The planner's problem as numbers. Each node has options that take time, use amounts and have a score (log accuracy).
 * A choice is one option per node. Every output must meet the SLO and every amount its limit. Value by goal:
 *
 * - score: y, the log of PAS;
 * - cost: −cost, with y ≥ floor;
 * - weights: α·e^y − cost.
 *
 * Without scenarios, y is the sum of scores. With `when` edges y = log Σ p_s · e^(sum of scores visited in scenario s).
 */

export interface NodeOptions {
  readonly count: number;
  readonly latencyMs: Float64Array;
  readonly score: Float64Array;
  /** One array per amount. */
  readonly amounts: readonly Float64Array[];
  readonly source: Int32Array;
}

/** Sum over the nodes, and its upper limit (rounding included). Limit Infinity: the sum is only kept small. */
export interface Amount {
  readonly limit: number;
}

export type Goal =
  | { readonly kind: 'score' }
  | { readonly kind: 'cost'; readonly scoreFloor: number }
  | { readonly kind: 'weights'; readonly accuracy: number };

export const NO_FLOOR = -1e6;

/** One outcome of all `when` edges. */
export interface Scenario {
  readonly probability: number;
  readonly visited: readonly boolean[];
}

/** Graph of nodes by position; predecessors come first. */
export interface NodeGraph {
  readonly predecessors: readonly (readonly number[])[];
  readonly successors: readonly (readonly number[])[];
  readonly awaited: readonly number[];
  readonly isOutput: readonly boolean[];
}

export interface LabelProblem {
  readonly nodes: readonly NodeOptions[];
  readonly graph: NodeGraph;
  /** Latest allowed finish of an output, rounding included; Infinity if time does not matter. */
  readonly latencyLimitMs: number;
  readonly amounts: readonly Amount[];
  /** Index of the cost in `amounts`, and price per unit; absent if the goal ignores cost. */
  readonly cost?: { readonly amount: number; readonly perUnit: number } | undefined;
  readonly goal: Goal;
  readonly scenarios: readonly Scenario[];
  readonly accepts?: (sources: Int32Array) => boolean;
  readonly labelLimit: number;
}

export function goalValue(goal: Goal, y: number, cost: number): number {
  switch (goal.kind) {
    case 'score':
      return y;
    case 'cost':
      return -cost;
    case 'weights':
      return goal.accuracy * Math.exp(y) - cost;
  }
}

export function totalScore(problem: LabelProblem, choice: Int32Array): number {
  const { nodes, scenarios } = problem;
  let total = 0;
  for (const { probability, visited } of scenarios) {
    let sum = 0;
    for (let v = 0; v < nodes.length; v++) if (visited[v]) sum += nodes[v]?.score[choice[v] as number] as number;
    if (scenarios.length === 1) return sum;
    total += probability * Math.exp(sum);
  }
  return Math.log(total);
}

export function totalAmount(problem: LabelProblem, choice: Int32Array, amount: number): number {
  let sum = 0;
  for (let v = 0; v < choice.length; v++) sum += problem.nodes[v]?.amounts[amount]?.[choice[v] as number] as number;
  return sum;
}

function totalCost(problem: LabelProblem, choice: Int32Array): number {
  return problem.cost === undefined ? 0 : problem.cost.perUnit * totalAmount(problem, choice, problem.cost.amount);
}

/** Finish times (ms) of all nodes, given their latencies. */
function finishTimesMs(graph: NodeGraph, latencyOf: (node: number) => number): Float64Array {
  const finish = new Float64Array(graph.predecessors.length);
  for (let v = 0; v < finish.length; v++) {
    const before = graph.predecessors[v] as readonly number[];
    const awaited = graph.awaited[v] as number;
    let start = 0;
    if (awaited === before.length) for (const p of before) start = Math.max(start, finish[p] as number);
    else start = before.map((p) => finish[p] as number).sort((a, b) => a - b)[awaited - 1] as number;
    finish[v] = start + latencyOf(v);
  }
  return finish;
}

/** Finish (ms) of the last output. */
export function finishMs(graph: NodeGraph, latencyOf: (node: number) => number): number {
  const finish = finishTimesMs(graph, latencyOf);
  return finish.reduce((latest, ms, v) => (graph.isOutput[v] ? Math.max(latest, ms) : latest), 0);
}

/** Time (ms) from the finish of each node to the last output that always waits for it; −Infinity if there is none. */
export function tailsMs(graph: NodeGraph, latencyOf: (node: number) => number): Float64Array {
  const tails = Float64Array.from(graph.isOutput, (isOutput) => (isOutput ? 0 : Number.NEGATIVE_INFINITY));
  for (let v = tails.length - 1; v >= 0; v--)
    for (const w of graph.successors[v] ?? [])
      if (graph.awaited[w] === graph.predecessors[w]?.length)
        tails[v] = Math.max(tails[v] as number, latencyOf(w) + (tails[w] as number));
  return tails;
}

export const sourcesOf = ({ nodes }: LabelProblem, choice: Int32Array): Int32Array =>
  choice.map((o, v) => nodes[v]?.source[o] as number);

/** Value of a choice; undefined if it breaks a limit or the floor, or if `accepts` rejects it. */
export function choiceValue(problem: LabelProblem, choice: Int32Array): number | undefined {
  const { goal, amounts, latencyLimitMs } = problem;
  for (let k = 0; k < amounts.length; k++)
    if (totalAmount(problem, choice, k) > (amounts[k] as Amount).limit) return undefined;
  if (latencyLimitMs < Number.POSITIVE_INFINITY) {
    const latency = finishMs(problem.graph, (v) => problem.nodes[v]?.latencyMs[choice[v] as number] as number);
    if (latency > latencyLimitMs) return undefined;
  }
  const y = totalScore(problem, choice);
  if (goal.kind === 'cost' && y < goal.scoreFloor) return undefined;
  if (problem.accepts !== undefined && !problem.accepts(sourcesOf(problem, choice))) return undefined;
  return goalValue(goal, y, totalCost(problem, choice));
}

function pickValues(values: Float64Array, indices: ArrayLike<number>): Float64Array {
  const out = new Float64Array(indices.length);
  for (let i = 0; i < out.length; i++) out[i] = values[indices[i] as number] as number;
  return out;
}

function pickOptions(node: Omit<NodeOptions, 'count'>, indices: Int32Array | Uint32Array): NodeOptions {
  return {
    count: indices.length,
    latencyMs: pickValues(node.latencyMs, indices),
    score: pickValues(node.score, indices),
    amounts: node.amounts.map((values) => pickValues(values, indices)),
    source: Int32Array.from(indices, (i) => node.source[i] as number),
  };
}

/** The problem reduced to the options `kept` (ascending positions). */
export function withOptions(problem: LabelProblem, kept: readonly Int32Array[]): LabelProblem {
  return { ...problem, nodes: problem.nodes.map((node, v) => pickOptions(node, kept[v] as Int32Array)) };
}
