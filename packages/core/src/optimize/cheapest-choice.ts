/**
 * Depth-first search for the choice of least additive weight that keeps the SLO and every budget: stages in topological order, options
 * from the lightest, cut where the least that the open stages still add exceeds a limit or the best weight so far.
 */
import { graphLatencyMs } from './planning-graph.js';
import { within } from './resource-use.js';
import type { SurrogateOption, SurrogateProblem } from './surrogate.js';

/** The cheapest choice below the given weight, if any. */
export interface CheapestChoice {
  readonly choice?: readonly SurrogateOption[];
  readonly weight: number;
  readonly labels: number;
}

const WEIGHT_TIE = 1e-12;

/** Least choice by `weightOf`, strictly lighter than `below`. */
export function cheapestChoice(
  problem: Pick<SurrogateProblem, 'graph' | 'stages' | 'limits' | 'sloMs'>,
  weightOf: (option: SurrogateOption) => number,
  below: number,
): CheapestChoice {
  const { graph, limits, sloMs } = problem;
  const sorted = problem.stages.map((options) => [...options].sort((a, b) => weightOf(a) - weightOf(b)));
  if (sorted.some((options) => options.length === 0)) return { weight: below, labels: 0 };
  const least = (of: (o: SurrogateOption) => number): readonly number[] =>
    sorted.map((options) => Math.min(...options.map(of)));
  const leastLatency = least((o) => o.latencyMs);
  const leastOf = [weightOf, ...limits.map((_, r) => (o: SurrogateOption) => o.option.use[r] as number)].map((of) => {
    const perStage = least(of);
    const rest = new Float64Array(graph.order.length + 1);
    for (let i = graph.order.length - 1; i >= 0; i--)
      rest[i] = (rest[i + 1] as number) + (perStage[graph.order[i] as number] as number);
    return rest;
  });
  const chosen: (SurrogateOption | undefined)[] = sorted.map(() => undefined);
  const amounts = new Float64Array(1 + limits.length);
  let best: readonly SurrogateOption[] | undefined;
  let weight = below;
  let labels = 0;

  const fits = (depth: number): boolean => {
    const open = (k: number): number => (amounts[k] as number) + (leastOf[k]?.[depth] as number);
    if (open(0) >= weight - WEIGHT_TIE * Math.max(1, Math.abs(weight))) return false;
    if (limits.some((limit, r) => !within(open(r + 1), limit))) return false;
    return within(
      graphLatencyMs(graph, (s) => chosen[s]?.latencyMs ?? (leastLatency[s] as number)),
      sloMs,
    );
  };
  const add = (o: SurrogateOption, sign: number): void => {
    amounts[0] = (amounts[0] as number) + sign * weightOf(o);
    for (let r = 0; r < limits.length; r++)
      amounts[r + 1] = (amounts[r + 1] as number) + sign * (o.option.use[r] as number);
  };
  const visit = (depth: number): void => {
    if (depth === graph.order.length) {
      best = chosen.map((o) => o as SurrogateOption);
      weight = best.reduce((sum, o) => sum + weightOf(o), 0);
      return;
    }
    const stage = graph.order[depth] as number;
    for (const candidate of sorted[stage] as readonly SurrogateOption[]) {
      labels++;
      chosen[stage] = candidate;
      add(candidate, 1);
      if (fits(depth + 1)) visit(depth + 1);
      add(candidate, -1);
    }
    chosen[stage] = undefined;
  };
  if (fits(0)) visit(0);
  return { ...(best === undefined ? {} : { choice: best }), weight, labels };
}
