/**
 * The solver against all plans on random small problems of every kind, and against HiGHS at gap 0 on larger linear
 * ones. An oracle judges every answer; it shares only the stage estimate with the solver. A problem is bound by latency
 * or budget if its answer improves without that limit.
 */
import type { Highs } from 'highs';
import { bruteForce } from '../../packages/core/src/optimize/brute-force.test-support.js';
import { type PreparedProblem, prepareProblem } from '../../packages/core/src/optimize/options/prepared-problem.js';
import { type SurrogateOption, surrogateProblem } from '../../packages/core/src/optimize/options/surrogate.js';
import { PlanOracle } from '../../packages/core/src/optimize/plan-oracle.test-support.js';
import {
  type Family,
  families,
  type RandomProblem,
  randomProblem,
} from '../../packages/core/src/optimize/random-problems.test-support.js';
import { loadHighs, solveWithHighs } from '../../packages/core/src/optimize/surrogate/highs-oracle.test-support.js';
import { costOf, isBetter, objectiveValue, pasOf } from '../../packages/core/src/optimize/surrogate/objective-value.js';
import { solve } from '../../packages/core/src/optimize/surrogate/solve.js';
import { SurrogateSolver } from '../../packages/core/src/optimize/surrogate/surrogate-solver.js';

export interface ExactnessFigures {
  readonly instances: number;
  readonly plans: number;
  readonly mismatches: number;
  /** Answers that break a limit, bound or pin. */
  readonly infringements: number;
  readonly infeasible: number;
  readonly boundInBoth: number;
}

/** Sizes of random problems; smaller for four stages. */
const SMALL = { variants: 4, replicas: 2, batches: 2 };
const FOUR_STAGES = { variants: 3, replicas: 2, batches: 2 };
const fourStages: readonly Family[] = [
  'fork-join',
  'any-join',
  'quorum-join',
  'bridge',
  'when-alternatives',
  'when-nested',
];
const LARGER = { variants: 6, replicas: 6, batches: 3 };
const RELATIVE = 1e-9;

/** Kinds with a linear program. */
export const linearFamilies: readonly Family[] = [
  'chain',
  'fork-join',
  'bridge',
  'fan-out',
  'two-outputs',
  'pins',
  'two-budgets',
  'three-budgets',
  'switching-cost',
];

/** Cancellation error of two large terms. */
const CANCELLED = 1e-13;

const close = (a: number, b: number): boolean =>
  Math.abs(a - b) <= Math.max(CANCELLED, RELATIVE * Math.max(Math.abs(a), Math.abs(b)));

type Choice = readonly SurrogateOption[] | undefined;

/** Returns two flags: an answer would improve without the SLO, and without the budgets. */
function bindings(prepared: PreparedProblem, factors: { theta: number; kappa: number }, choice: Choice) {
  const { objective, accuracy } = prepared;
  const problem = surrogateProblem(prepared, factors);
  const better = (other: Choice): boolean =>
    other !== undefined &&
    (choice === undefined ||
      isBetter(objective, objectiveValue(objective, accuracy, other), objectiveValue(objective, accuracy, choice)));
  const limits = [Infinity, Infinity, Infinity, Infinity] as const;
  return {
    latency: better(solve({ ...problem, sloMs: Infinity }).choice),
    budget: better(solve({ ...problem, limits }).choice),
  };
}

function agrees(
  { problem, theta, kappa }: RandomProblem,
  choice: Choice,
): { readonly plans: number; readonly agrees: boolean } {
  const { best, plans } = bruteForce(problem, theta, kappa);
  if (choice === undefined || best === undefined)
    return { plans, agrees: (choice === undefined) === (best === undefined) };
  const { objective, accuracy } = prepareProblem(problem);
  const value = objectiveValue(objective, accuracy, choice);
  const sameValue = close(objective.kind === 'min-cost' ? -value : value, best.value);
  const secondary =
    objective.kind === 'weights' || (close(costOf(choice), best.cost) && close(pasOf(accuracy, choice), best.pas));
  return { plans, agrees: sameValue && secondary };
}

/** True if an answer breaks a limit, bound or pin, judged by the oracle. */
function infringes({ problem, theta, kappa }: Omit<RandomProblem, 'family'>, choice: Choice): boolean {
  return choice !== undefined && !new PlanOracle(problem, { theta, kappa }).keepsAll(choice.map((o) => o.option));
}

export function bruteForceFigures(family: Family, seeds: readonly number[]): ExactnessFigures {
  const figures = { instances: 0, plans: 0, mismatches: 0, infringements: 0, infeasible: 0, boundInBoth: 0 };
  for (const seed of seeds) {
    const estimator = seed % 2 === 0 ? 'sum-of-tails' : 'distribution';
    const size = fourStages.includes(family) ? FOUR_STAGES : SMALL;
    const random = randomProblem(family, seed, { size, estimator });
    const prepared = prepareProblem(random.problem);
    const { choice } = new SurrogateSolver(prepared).solve(random);
    const oracle = agrees(random, choice);
    const bound = bindings(prepared, random, choice);
    figures.instances++;
    figures.plans += oracle.plans;
    if (!oracle.agrees) figures.mismatches++;
    if (infringes(random, choice)) figures.infringements++;
    if (choice === undefined) figures.infeasible++;
    if (choice !== undefined && bound.latency && bound.budget) figures.boundInBoth++;
  }
  return figures;
}

function linearValue(prepared: PreparedProblem, choice: Choice): number | undefined {
  if (choice === undefined) return undefined;
  return prepared.objective.kind === 'min-cost' ? -costOf(choice) : Math.log(pasOf(prepared.accuracy, choice));
}

function highsFigures(highs: Highs, family: Family, seeds: readonly number[]): ExactnessFigures {
  const figures = { instances: 0, plans: 0, mismatches: 0, infringements: 0, infeasible: 0, boundInBoth: 0 };
  for (const seed of seeds) {
    const { problem, theta, kappa } = randomProblem(family, seed, { size: LARGER, estimator: 'distribution' });
    const prepared = prepareProblem(problem);
    if (prepared.objective.kind === 'weights') continue;
    const surrogate = surrogateProblem(prepared, { theta, kappa });
    const { choice } = solve(surrogate);
    const own = linearValue(prepared, choice);
    const oracle = solveWithHighs(highs, surrogate).value;
    figures.instances++;
    figures.plans += surrogate.stages.reduce((product, options) => product * options.length, 1);
    if (own === undefined) figures.infeasible++;
    const same = own === undefined || oracle === undefined ? own === oracle : close(own, oracle);
    if (!same) figures.mismatches++;
    if (infringes({ problem, theta, kappa }, choice)) figures.infringements++;
  }
  return figures;
}

const range = (from: number, count: number): readonly number[] => Array.from({ length: count }, (_, i) => from + i);

export async function measureExactness(perFamily: number, perLinearFamily: number) {
  const brute = families.map((family) => ({ family, ...bruteForceFigures(family, range(1000, perFamily)) }));
  const highs = await loadHighs();
  const linear = linearFamilies.map((family) => ({
    family,
    ...highsFigures(highs, family, range(5000, perLinearFamily)),
  }));
  return { brute, linear };
}
