import type { Objective } from '../../model/pipeline-spec.js';
import type { LatencyFactors, Solution, SurrogateOption } from '../options/surrogate.js';
import { graphLatencyMs } from '../problem/planning-graph.js';
import type { SurrogateSolver } from './surrogate-solver.js';

const PRECISION = 1e-3;

/** Choice of minimum latency: bisects the SLO to 0.1 %. Undefined if budgets and floor allow none. */
export function leastLatencyChoice(
  solver: SurrogateSolver,
  factors: LatencyFactors,
): readonly SurrogateOption[] | undefined {
  const { objective: asked, graph } = solver.prepared;
  const objective: Objective = asked.kind === 'min-cost' ? asked : { kind: 'min-cost', accuracyFloor: 0 };
  const at = (sloMs: number): Solution => solver.solve(factors, { objective, sloMs });
  const latencyMs = (choice: readonly SurrogateOption[]): number =>
    graphLatencyMs(graph, (s) => choice[s]?.latencyMs ?? 0);
  let best = at(Number.POSITIVE_INFINITY).choice;
  if (best === undefined) return undefined;
  const { stages } = solver.problem(factors);
  let high = latencyMs(best);
  let low = graphLatencyMs(graph, (s) => Math.min(...(stages[s] ?? []).map((o) => o.latencyMs)));
  while (high > low * (1 + PRECISION) + 1e-9) {
    const middle = (low + high) / 2;
    const { choice } = at(middle);
    if (choice === undefined) low = middle;
    else {
      best = choice;
      high = Math.min(middle, latencyMs(choice));
    }
  }
  return best;
}
