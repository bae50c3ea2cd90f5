/**
 * Times of the option table, of a solve and of a frontier, beside HiGHS on the same instances. Each instance is timed several times and the
 * fastest taken, which tells the machine's load from the solver's work; HiGHS is timed once for each form of the model.
 */

import { withoutDominated } from '../../packages/core/src/optimize/options/undominated-options.js';
import { isBetter } from '../../packages/core/src/optimize/problem/objective-value.js';
import type { PlanningGraph } from '../../packages/core/src/optimize/problem/planning-graph.js';
import { planningSetting } from '../../packages/core/src/optimize/problem/planning-setting.js';
import { loadHighs, solveWithHighs } from '../../packages/core/src/optimize/surrogate/highs-oracle.test-support.js';
import { solve } from '../../packages/core/src/optimize/surrogate/solve.js';
import type { SurrogateProblem } from '../../packages/core/src/optimize/surrogate/surrogate.js';
import { surrogateFrontier } from '../../packages/core/src/optimize/surrogate/surrogate-frontier.js';
import { optionTableProblem } from './option-table-instance.js';
import { chainGraph, joinGraph, type PriceKind, solverInstance } from './solver-instances.js';

/** Times in ms. */
export interface Times {
  readonly instances: number;
  readonly medianMs: number;
  readonly p95Ms: number;
  readonly worstMs: number;
}

const REPEATS = 3;
const WARM_UP = 5;
const UNLIMITED = [Infinity, Infinity, Infinity, Infinity] as const;

const range = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);

function fastestMs(run: () => unknown): number {
  let fastest = Infinity;
  for (let i = 0; i < REPEATS; i++) {
    const startedAt = performance.now();
    run();
    fastest = Math.min(fastest, performance.now() - startedAt);
  }
  return fastest;
}

const quantile = (sorted: readonly number[], fraction: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(fraction * sorted.length))] ?? 0;

function timesOf(milliseconds: readonly number[]): Times {
  const sorted = [...milliseconds].sort((a, b) => a - b);
  return {
    instances: sorted.length,
    medianMs: quantile(sorted, 0.5),
    p95Ms: quantile(sorted, 0.95),
    worstMs: sorted.at(-1) ?? 0,
  };
}

/** PAS of the best choice. */
function bestPas(problem: SurrogateProblem): number {
  const { choice } = solve(problem);
  return choice === undefined ? 0 : (problem.accuracy.pas(choice.map(({ option }) => option.variantIndex)) ?? 0);
}

/** Solve times over the grid, and on how many instances both SLO and budget cost accuracy. */
export function solveTimes(
  graph: PlanningGraph,
  instances: number,
): Times & { readonly boundInBoth: number; readonly proven: number } {
  let boundInBoth = 0;
  let proven = 0;
  for (const seed of range(WARM_UP)) solve(solverInstance(graph, 1000 + seed).problem);
  const times = range(instances).map((seed) => {
    const { problem } = solverInstance(graph, seed);
    const pas = bestPas(problem);
    const better = (other: SurrogateProblem): boolean => isBetter(problem.objective, bestPas(other), pas);
    if (better({ ...problem, sloMs: Infinity }) && better({ ...problem, limits: UNLIMITED })) boundInBoth++;
    if (solve(problem).optimal) proven++;
    return fastestMs(() => solve(problem));
  });
  return { ...timesOf(times), boundInBoth, proven };
}

/** Time to estimate all options of ten stages on whole cores. */
export function optionTableTimes(instances: number): Times & { readonly options: number } {
  let options = 0;
  const times = range(instances).map((seed) => {
    const problem = optionTableProblem(10, seed);
    options = planningSetting(problem).options.reduce((sum, list) => sum + list.length, 0);
    return fastestMs(() => planningSetting({ ...problem }));
  });
  return { ...timesOf(times), options };
}

/** Times of the whole frontier of ten stages without a budget. */
export function frontierTimes(prices: PriceKind, instances: number): Times & { readonly medianPoints: number } {
  const tolerance = prices === 'cores' ? 0 : 1e-3;
  const points: number[] = [];
  const times = range(instances).map((seed) => {
    const problem = { ...solverInstance(chainGraph(10), seed, prices).problem, limits: UNLIMITED };
    points.push(surrogateFrontier(problem, tolerance).points.length);
    return fastestMs(() => surrogateFrontier(problem, tolerance));
  });
  return {
    ...timesOf(times),
    medianPoints: quantile(
      [...points].sort((a, b) => a - b),
      0.5,
    ),
  };
}

/** Own time and HiGHS, each on the whole model and on the model without dominated options, on the same instances. */
export async function againstHighs(instances: number) {
  const highs = await loadHighs();
  const rows = range(instances).map((seed) => {
    const { problem } = solverInstance(chainGraph(10), seed);
    const whole = solveWithHighs(highs, problem);
    const lean = solveWithHighs(highs, withoutDominated(problem));
    const pas = bestPas(problem);
    const same = [whole, lean].every(({ value }) => value !== undefined && Math.abs(Math.exp(value) - pas) <= 1e-9);
    const pruned = withoutDominated(problem);
    const ownMs = fastestMs(() => solve(problem));
    return { ownMs, ownLeanMs: fastestMs(() => solve(pruned)), wholeMs: whole.elapsedMs, leanMs: lean.elapsedMs, same };
  });
  return {
    own: timesOf(rows.map((row) => row.ownMs)),
    ownLean: timesOf(rows.map((row) => row.ownLeanMs)),
    whole: timesOf(rows.map((row) => row.wholeMs)),
    lean: timesOf(rows.map((row) => row.leanMs)),
    mismatches: rows.filter((row) => !row.same).length,
  };
}

/** All solve times by shape. */
export const solveShapes = {
  '10 stages': () => solveTimes(chainGraph(10), 200),
  '20 stages': () => solveTimes(chainGraph(20), 200),
  '50 stages': () => solveTimes(chainGraph(50), 50),
  '12 stages with three joins': () => solveTimes(joinGraph(), 200),
} as const;
