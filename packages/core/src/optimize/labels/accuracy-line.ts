/**
 * A straight line above what the goal makes of the total score y, so that it can be added up. For `score` it is y itself, for `cost` nothing
 * (the floor has a price of its own). For `weights` α·e^y is convex: its chord lies above it between the lowest score that can still beat
 * the best value known, α·e^y − least cost > value, and the highest there is.
 */
import { largest, smallest } from './extremes.js';
import type { LabelProblem } from './label-problem.js';
import type { RelaxedScore } from './relaxed-score.js';

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
