import type { CutLayout, Slot, Step } from './cut-layout.js';
import { type LabelProblem, type NodeOptions, tailsMs } from './label-problem.js';
import type { Multipliers } from './multipliers.js';

/** Smallest and largest of flat arrays; ±Infinity for none. */

/** The smallest number. */
export function smallest(values: Float64Array | undefined): number {
  let least = Number.POSITIVE_INFINITY;
  if (values !== undefined) for (let i = 0; i < values.length; i++) least = Math.min(least, values[i] as number);
  return least;
}

/** The largest number. */
export function largest(values: Float64Array | undefined): number {
  let most = Number.NEGATIVE_INFINITY;
  if (values !== undefined) for (let i = 0; i < values.length; i++) most = Math.max(most, values[i] as number);
  return most;
}

/**
 * A straight line above what the goal makes of the total score y, so that it can be added up. For `score` it is y itself, for `cost` nothing
 * (the floor has a price of its own). For `weights` α·e^y is convex: its chord lies above it between the lowest score that can still beat
 * the best value known, α·e^y − least cost > value, and the highest there is.
 */

/** `slope` · y + `at0`. */
export interface AccuracyLine {
  readonly slope: number;
  readonly at0: number;
}

function leastCost({ nodes, cost }: LabelProblem): number {
  if (cost === undefined) return 0;
  return nodes.reduce((sum, node) => sum + cost.perUnit * smallest(node.amounts[cost.amount]), 0);
}

/** The line for `problem` when a choice of value `known` is at hand. */
export function accuracyLine(problem: LabelProblem, relaxed: RelaxedScore, known: number | undefined): AccuracyLine {
  const { goal, nodes } = problem;
  if (goal.kind === 'score') return { slope: 1, at0: 0 };
  if (goal.kind === 'cost' || goal.accuracy === 0) return { slope: 0, at0: 0 };
  const sum = (of: (scores: Float64Array) => number): number =>
    nodes.reduce((total, node, v) => total + (relaxed.weights[v] as number) * of(node.score), relaxed.constant);
  const highest = sum(largest);
  const needed = known === undefined ? 0 : (known + leastCost(problem)) / goal.accuracy;
  const lowest = Math.min(highest, Math.max(sum(smallest), Math.log(Math.max(needed, 1e-300))));
  const [low, high] = [goal.accuracy * Math.exp(lowest), goal.accuracy * Math.exp(highest)];
  const slope = highest > lowest ? (high - low) / (highest - lowest) : high;
  return { slope, at0: high - slope * highest };
}

/**
 * What the expansion of labels by the options of one node needs, worked out once per node: limits less what the nodes behind take at least,
 * prices of time and amounts, and the best that the rest can add.
 */

/** A problem with the bound that guides a sweep. */
export interface BoundedProblem {
  readonly problem: LabelProblem;
  readonly layout: CutLayout;
  readonly relaxed: RelaxedScore;
  readonly multipliers: Multipliers;
}

/** The terms of one node. */
export interface StepTerms {
  readonly node: NodeOptions;
  readonly step: Step;
  /** Options by worth, best first. */
  readonly order: Int32Array;
  readonly worth: Float64Array;
  /** Most that is added behind the node, with the constant part of the bound. */
  readonly worthBehind: number;
  readonly latestFinishMs: number;
  readonly amountCeilings: Float64Array;
  /** A relaxed score below this cannot reach the floor any more. */
  readonly scoreFloor: number;
  readonly scoreWeight: number;
  /** Price per ms of the finish time in each new slot. */
  readonly slotPrices: Float64Array;
  readonly unitPrices: Float64Array;
  readonly scoreSlope: number;
  readonly oldSlots: number;
  readonly isLast: boolean;
}

/** Sums behind each node: entry v is the sum over v + 1 … n − 1. */
function sumsBehind(n: number, of: (node: number) => number): Float64Array {
  const sums = new Float64Array(n);
  for (let v = n - 2; v >= 0; v--) sums[v] = (sums[v + 1] as number) + of(v + 1);
  return sums;
}

/** Price per ms on all edges from a slot's nodes to nodes behind `after`. */
function slotPrice({ problem, multipliers }: BoundedProblem, { nodes }: Slot, after: number): number {
  let price = 0;
  for (const u of nodes)
    for (const w of problem.graph.successors[u] ?? []) if (w > after) price += multipliers.edgePrice(u, w);
  return price;
}

/** Rounding of sums of scores. */
const SCORE_ROUNDING = 1e-12;

/** The terms of every node. */
export function stepTerms(bounded: BoundedProblem): readonly StepTerms[] {
  const { problem, layout, relaxed, multipliers } = bounded;
  const { nodes, graph, amounts, goal } = problem;
  const n = nodes.length;
  const tails = tailsMs(graph, (v) => smallest(nodes[v]?.latencyMs));
  const worthBehind = sumsBehind(n, (v) => multipliers.best[v] as number);
  const scoreBehind = sumsBehind(n, (v) => (relaxed.weights[v] as number) * largest(nodes[v]?.score));
  const amountsBehind = amounts.map((_, k) => sumsBehind(n, (v) => smallest(nodes[v]?.amounts[k])));
  const floor = goal.kind === 'cost' ? goal.scoreFloor - SCORE_ROUNDING : Number.NEGATIVE_INFINITY;
  const constant = multipliers.constant - multipliers.scoreSlope * relaxed.constant;
  return nodes.map((node, v): StepTerms => {
    const step = layout.steps[v] as Step;
    const worth = multipliers.reduced[v] as Float64Array;
    return {
      node,
      step,
      order: Int32Array.from(worth.keys()).sort((a, b) => (worth[b] as number) - (worth[a] as number)),
      worth,
      worthBehind: constant + (worthBehind[v] as number),
      latestFinishMs: problem.latencyLimitMs - (tails[v] as number),
      amountCeilings: Float64Array.from(amounts, ({ limit }, k) => limit - (amountsBehind[k]?.[v] as number)),
      scoreFloor: floor - (scoreBehind[v] as number),
      scoreWeight: relaxed.weights[v] as number,
      slotPrices: Float64Array.from(step.slots, (slot) => slotPrice(bounded, slot, v)),
      unitPrices: multipliers.unitPrices,
      scoreSlope: multipliers.scoreSlope,
      oldSlots: layout.steps[v - 1]?.slots.length ?? 0,
      isLast: v === n - 1,
    };
  });
}

/**
 * A linear bound of the total score, so that a Lagrangian can add it up node by node: y ≤ constant + Σ weight_v · score_v.
 *
 * Without `when` it is exact. With it, y = A + log F, A the scores of the nodes that every scenario visits, F = Σ p_s e^(z_s). With z_s at
 * its highest h_s and lowest l_s, e^z lies below its highest value by at least the chord's slope times h_s − z_s, and −log(1 − x) ≥ x, so
 * log F ≤ log F(h) − Σ_s p_s · slope_s ÷ F(h) · (h_s − z_s).
 */

/** y ≤ `constant` + Σ `weights[v]` · score of node v. */
export interface RelaxedScore {
  readonly constant: number;
  readonly weights: Float64Array;
}

/** Largest and smallest score of each node. */
function scoreRange(problem: LabelProblem): { readonly highest: Float64Array; readonly lowest: Float64Array } {
  return {
    highest: Float64Array.from(problem.nodes, (node) =>
      node.score.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY),
    ),
    lowest: Float64Array.from(problem.nodes, (node) =>
      node.score.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY),
    ),
  };
}

/** The bound over the options that the problem holds. */
export function relaxedScore(problem: LabelProblem): RelaxedScore {
  const { scenarios, nodes } = problem;
  const weights = new Float64Array(nodes.length).fill(1);
  if (scenarios.length === 1) return { constant: 0, weights };
  const { highest, lowest } = scoreRange(problem);
  const conditional = nodes.map((_, v) => scenarios.some(({ visited }) => !visited[v]));
  const sumOver = (visited: readonly boolean[], of: Float64Array): number =>
    of.reduce((sum, score, v) => (conditional[v] && visited[v] ? sum + score : sum), 0);
  const ranges = scenarios.map(({ probability, visited }) => {
    const high = sumOver(visited, highest);
    const low = sumOver(visited, lowest);
    const slope = high > low ? (Math.exp(high) - Math.exp(low)) / (high - low) : Math.exp(high);
    return { probability, visited, high, slope };
  });
  const top = ranges.reduce((sum, { probability, high }) => sum + probability * Math.exp(high), 0);
  let constant = Math.log(top);
  for (let v = 0; v < nodes.length; v++) if (conditional[v]) weights[v] = 0;
  for (const { probability, visited, high, slope } of ranges) {
    const weight = (probability * slope) / top;
    constant -= weight * high;
    for (let v = 0; v < nodes.length; v++)
      if (conditional[v] && visited[v]) weights[v] = (weights[v] as number) + weight;
  }
  return { constant, weights };
}
