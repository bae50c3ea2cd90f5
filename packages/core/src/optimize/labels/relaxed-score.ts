import type { LabelProblem } from './label-problem.js';

/** Smallest entry; Infinity for an empty array. */
export function smallest(values: Float64Array | undefined): number {
  let least = Number.POSITIVE_INFINITY;
  if (values !== undefined) for (let i = 0; i < values.length; i++) least = Math.min(least, values[i] as number);
  return least;
}

/** Largest entry; −Infinity for an empty array. */
export function largest(values: Float64Array | undefined): number {
  let most = Number.NEGATIVE_INFINITY;
  if (values !== undefined) for (let i = 0; i < values.length; i++) most = Math.max(most, values[i] as number);
  return most;
}

/**
 * Linear upper bound on the goal's accuracy term, as a function of the total score y. `cost`: 0, because the floor has
 * its own price. `weights`: the chord of α·e^y from the lowest score that can still win (α·e^y − least cost > `known`)
 * to the highest.
 */

/** The line `slope` · y + `at0`. */
export interface AccuracyLine {
  readonly slope: number;
  readonly at0: number;
}

function leastCost({ nodes, cost }: LabelProblem): number {
  if (cost === undefined) return 0;
  return nodes.reduce((sum, node) => sum + cost.perUnit * smallest(node.amounts[cost.amount]), 0);
}

/** `known`: value of the best known choice, if any. */
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
 * Linear bound of the total score: y ≤ constant + Σ weight_v · score_v. Exact without `when`. With it, y = A + log F,
 * where F = Σ p_s e^(z_s). A is the score of the nodes that every scenario visits, z_s that of the other nodes of
 * scenario s. For l_s ≤ z_s ≤ h_s the chord gives e^(z_s) ≤ e^(h_s) − slope_s · (h_s − z_s). Because log(1 − x) ≤ −x,
 * log F ≤ log F(h) − Σ_s p_s · slope_s ÷ F(h) · (h_s − z_s).
 */

/** y ≤ `constant` + Σ `weights[v]` · score of node v. */
export interface RelaxedScore {
  readonly constant: number;
  readonly weights: Float64Array;
}

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
