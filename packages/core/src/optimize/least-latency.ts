/**
 * The choice of least surrogate latency within the budgets and above the accuracy floor: the SLO is bisected with the solver itself, since
 * whatever it answers at a smaller SLO is faster. Ends within 0.1 % of the least.
 */
import type { Objective } from '../model/pipeline-spec.js';
import { graphLatencyMs } from './planning-graph.js';
import type { Solution } from './solution.js';
import { solve } from './solve.js';
import type { SurrogateOption, SurrogateProblem } from './surrogate.js';

const PRECISION = 1e-3;

/** Surrogate latency (ms) of a choice. */
export const choiceLatencyMs = (problem: SurrogateProblem, choice: readonly SurrogateOption[]): number =>
  graphLatencyMs(problem.graph, (s) => choice[s]?.latencyMs ?? 0);

/** A choice within 0.1 % of the least latency; none if the budgets and the floor admit no choice at any SLO. */
export function leastLatencyChoice(problem: SurrogateProblem): readonly SurrogateOption[] | undefined {
  const objective: Objective =
    problem.objective.kind === 'min-cost' ? problem.objective : { kind: 'min-cost', accuracyFloor: 0 };
  const at = (sloMs: number): Solution => solve({ ...problem, objective, sloMs });
  let best = at(Number.POSITIVE_INFINITY).choice;
  if (best === undefined) return undefined;
  let high = choiceLatencyMs(problem, best);
  let low = graphLatencyMs(problem.graph, (s) => Math.min(...(problem.stages[s] ?? []).map((o) => o.latencyMs)));
  while (high > low * (1 + PRECISION) + 1e-9) {
    const middle = (low + high) / 2;
    const { choice } = at(middle);
    if (choice === undefined) low = middle;
    else {
      best = choice;
      high = Math.min(middle, choiceLatencyMs(problem, choice));
    }
  }
  return best;
}
