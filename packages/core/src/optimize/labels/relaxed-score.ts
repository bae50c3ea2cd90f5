/**
 * A linear bound of the total score, so that a Lagrangian can add it up node by node: y ≤ constant + Σ weight_v · score_v.
 *
 * Without `when` it is exact. With it, y = A + log F, A the scores of the nodes that every scenario visits, F = Σ p_s e^(z_s). With z_s at
 * its highest h_s and lowest l_s, e^z lies below its highest value by at least the chord's slope times h_s − z_s, and −log(1 − x) ≥ x, so
 * log F ≤ log F(h) − Σ_s p_s · slope_s ÷ F(h) · (h_s − z_s).
 */
import type { LabelProblem } from './label-problem.js';

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
