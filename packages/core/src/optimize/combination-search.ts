/**
 * Exact search where accuracy depends on the combination of variants: combinations are visited from the most accurate down, and for each
 * label setting finds the cheapest options. `max-accuracy` ends at the first combination that fits (and its equals), `min-cost` at the
 * floor, `weights` when no later accuracy could pay for the least cost there is.
 */
import { LOG_PAS_TIE, logPas } from './accuracy-model.js';
import { NO_FLOOR } from './labels/label-problem.js';
import type { Solution } from './solution.js';
import { solveGoal } from './solve-goal.js';
import type { SurrogateOption, SurrogateProblem } from './surrogate.js';

interface Combination {
  readonly variants: readonly number[];
  readonly logPas: number;
}

const FLOOR_ROUNDING = 1e-12;

function combinations(problem: SurrogateProblem): readonly Combination[] {
  let partial: number[][] = [[]];
  for (const options of problem.stages) {
    const variants = [...new Set(options.map(({ option }) => option.variantIndex))];
    partial = partial.flatMap((chosen) => variants.map((v) => [...chosen, v]));
  }
  return partial
    .flatMap((variants) => {
      const pas = problem.accuracy.pas(variants);
      return pas === undefined ? [] : [{ variants, logPas: logPas(pas) }];
    })
    .sort((a, b) => b.logPas - a.logPas);
}

/** What the inner search minimizes, and what an accuracy is worth in the same unit. */
function scoring({ objective }: SurrogateProblem) {
  if (objective.kind !== 'weights')
    return { costOf: (o: SurrogateOption) => o.costPerHour, gain: (_: Combination) => 0 };
  return {
    costOf: (o: SurrogateOption) => objective.cost * o.costPerHour + objective.batch * o.option.maxBatchSize,
    gain: (c: Combination) => objective.accuracy * Math.exp(c.logPas),
  };
}

/** Solves `problem` to optimality. */
export function searchCombinations(problem: SurrogateProblem): Solution {
  const { objective } = problem;
  const { costOf, gain } = scoring(problem);
  let best: readonly SurrogateOption[] | undefined;
  let bestScore = Number.POSITIVE_INFINITY;
  let bestLogPas = Number.NEGATIVE_INFINITY;
  let labels = 0;
  for (const combination of combinations(problem)) {
    if (objective.kind === 'max-accuracy' && combination.logPas < bestLogPas - LOG_PAS_TIE) break;
    if (objective.kind === 'min-cost' && Math.exp(combination.logPas) < objective.accuracyFloor - FLOOR_ROUNDING) break;
    const stages = problem.stages.map((options, s) =>
      options.filter((o) => o.option.variantIndex === combination.variants[s]),
    );
    const { solution, choice } = solveGoal(
      { ...problem, stages },
      { goal: { kind: 'cost', scoreFloor: NO_FLOOR }, costOf, costLimit: bestScore + gain(combination) },
    );
    labels += solution.labels;
    if (choice === undefined) continue;
    const score = choice.reduce((sum, o) => sum + costOf(o), 0) - gain(combination);
    if (score >= bestScore) continue;
    best = choice;
    bestScore = score;
    bestLogPas = Math.max(bestLogPas, combination.logPas);
  }
  return {
    ...(best === undefined ? {} : { choice: best }),
    optimal: true,
    gapFraction: 0,
    solver: 'combination-search',
    labels,
  };
}
