/**
 * Times of the option table, a solve and a frontier, each the median of three runs per instance. HiGHS runs once on the
 * same instances, in turns, so that a busy machine slows both.
 */

import { prepareProblem } from '../../packages/core/src/optimize/options/prepared-problem.js';
import type { SurrogateProblem } from '../../packages/core/src/optimize/options/surrogate.js';
import type { PlanningGraph } from '../../packages/core/src/optimize/problem/planning-graph.js';
import {
  highsModel,
  loadHighs,
  solveWithHighs,
} from '../../packages/core/src/optimize/surrogate/highs-oracle.test-support.js';
import { isBetter } from '../../packages/core/src/optimize/surrogate/objective-value.js';
import { solve, solveUndominated } from '../../packages/core/src/optimize/surrogate/solve.js';
import { surrogateFrontier } from '../../packages/core/src/optimize/surrogate/surrogate-frontier.js';
import { undominatedOptions } from '../../packages/core/src/optimize/surrogate/undominated-options.js';
import { type NativeAnswers, NativeSolvers } from './native-solvers.js';
import { optionTableProblem } from './option-table-instance.js';
import { chainGraph, joinGraph, type PriceKind, solverInstance } from './solver-instances.js';

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

function elapsedMs(run: () => unknown): number {
  const startedAtMs = performance.now();
  run();
  return performance.now() - startedAtMs;
}

const quantile = (sorted: readonly number[], fraction: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(fraction * sorted.length))] ?? 0;

const medianMs = (run: () => unknown): number =>
  quantile(
    range(REPEATS)
      .map(() => elapsedMs(run))
      .sort((a, b) => a - b),
    0.5,
  );

function timesOf(milliseconds: readonly number[]): Times {
  const sorted = [...milliseconds].sort((a, b) => a - b);
  return {
    instances: sorted.length,
    medianMs: quantile(sorted, 0.5),
    p95Ms: quantile(sorted, 0.95),
    worstMs: sorted.at(-1) ?? 0,
  };
}

function bestPas(problem: SurrogateProblem): number {
  const { choice } = solve(problem);
  return choice === undefined ? 0 : (problem.accuracy.pas(choice.map(({ option }) => option.variantIndex)) ?? 0);
}

/** Solve times over the grid, and the number of instances where both SLO and budget cost accuracy. */
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
    return medianMs(() => solve(problem));
  });
  return { ...timesOf(times), boundInBoth, proven };
}

/**
 * Time to estimate all options of ten stages on whole cores: with new profiles, and at another rate with cached
 * profiles.
 */
export function optionTableTimes(instances: number): Record<'first' | 'further', Times> & { readonly options: number } {
  let options = 0;
  for (const seed of range(WARM_UP)) prepareProblem(optionTableProblem(10, 1000 + seed));
  const times = range(instances).map((seed) => {
    const problem = optionTableProblem(10, seed);
    const first = elapsedMs(() => {
      options = prepareProblem(problem).options.reduce((sum, list) => sum + list.length, 0);
    });
    return { first, further: medianMs(() => prepareProblem({ ...problem })) };
  });
  const of = (kind: 'first' | 'further'): Times => timesOf(times.map((each) => each[kind]));
  return { first: of('first'), further: of('further'), options };
}

/** Times of the whole frontier of ten stages without a budget. */
export function frontierTimes(prices: PriceKind, instances: number): Times & { readonly medianPoints: number } {
  const tolerance = prices === 'cores' ? 0 : 1e-3;
  const points: number[] = [];
  const times = range(instances).map((seed) => {
    const problem = { ...solverInstance(chainGraph(10), seed, prices).problem, limits: UNLIMITED };
    let found = 0;
    const ms = medianMs(() => {
      found = surrogateFrontier(problem, tolerance).points.length;
    });
    points.push(found);
    return ms;
  });
  return {
    ...timesOf(times),
    medianPoints: quantile(
      [...points].sort((a, b) => a - b),
      0.5,
    ),
  };
}

interface SolverRow {
  readonly ownMs: number;
  readonly ownLeanMs: number;
  readonly wholeMs: number;
  readonly leanMs: number;
  readonly same: boolean;
  readonly native?: Readonly<Record<'whole' | 'lean', NativeAnswers>>;
}

/**
 * Times of our solver and of HiGHS, on the whole model and on the model without dominated options. If a Python has
 * native HiGHS and CP-SAT, they solve the same models in turns.
 */
export async function againstHighs(instances: number) {
  const highs = await loadHighs();
  const solvers = NativeSolvers.start();
  const warm = solverInstance(chainGraph(10), 1000).problem;
  for (const problem of [warm, undominatedOptions(warm)]) {
    solveWithHighs(highs, problem);
    await solvers?.solve(highsModel(highs, problem));
  }
  const rows: SolverRow[] = [];
  for (const seed of range(instances)) {
    const { problem } = solverInstance(chainGraph(10), seed);
    const pruned = undominatedOptions(problem);
    const pas = bestPas(problem);
    let same = true;
    // The time of HiGHS excludes building the model.
    const askedMs = (of: SurrogateProblem): number => {
      const { value, elapsedMs: ms } = solveWithHighs(highs, of);
      if (value === undefined || Math.abs(Math.exp(value) - pas) > 1e-9) same = false;
      return ms;
    };
    const ownMs = elapsedMs(() => solve(problem));
    const wholeMs = askedMs(problem);
    const ownLeanMs = elapsedMs(() => solveUndominated(pruned));
    const leanMs = askedMs(pruned);
    const native = solvers && {
      whole: await solvers.solve(highsModel(highs, problem)),
      lean: await solvers.solve(highsModel(highs, pruned)),
    };
    if (native && Object.values(native).some((of) => !agree(of, pas))) same = false;
    rows.push({ ownMs, ownLeanMs, wholeMs, leanMs, same, ...(native && { native }) });
  }
  solvers?.stop();
  return {
    own: timesOf(rows.map((row) => row.ownMs)),
    ownLean: timesOf(rows.map((row) => row.ownLeanMs)),
    whole: timesOf(rows.map((row) => row.wholeMs)),
    lean: timesOf(rows.map((row) => row.leanMs)),
    mismatches: rows.filter((row) => !row.same).length,
    ...(solvers !== undefined && { native: nativeTimes(rows) }),
  };
}

/** Answers differ slightly: CP-SAT counts in integers and HiGHS has tolerances. */
const agree = ({ highs, cpSat }: NativeAnswers, pas: number): boolean =>
  [highs, cpSat].every(({ value }) => value !== null && Math.abs(Math.exp(value) - pas) <= 1e-5 * pas);

function nativeTimes(rows: readonly SolverRow[]) {
  const times = (model: 'whole' | 'lean', solver: keyof NativeAnswers): Times =>
    timesOf(rows.flatMap(({ native }) => native?.[model][solver].elapsedMs ?? []));
  return {
    highsWhole: times('whole', 'highs'),
    highsLean: times('lean', 'highs'),
    cpSatWhole: times('whole', 'cpSat'),
    cpSatLean: times('lean', 'cpSat'),
  };
}

export const solveShapes = {
  '10 stages': () => chainGraph(10),
  '20 stages': () => chainGraph(20),
  '50 stages': () => chainGraph(50),
  '12 stages with three joins': joinGraph,
} as const;
