/**
 * Solves one goal by label setting. If machines have sizes, the choice is then packed. If it does not fit, a second
 * solve accepts only choices that fit. That solve counts replicas by size, so that dominance respects packing.
 */
import type { Resources } from '../../model/pipeline-spec.js';
import { chosenOptions, compileLabels, type LabelGoal } from '../labels/compile-labels.js';
import { type LabelSolution, solveLabels } from '../labels/solve-labels.js';
import type { SurrogateOption, SurrogateProblem } from '../options/surrogate.js';
import { packingOf } from './node-packing.js';

/** Options in stage order. `packed`: the second solve was needed. */
export interface SolvedGoal {
  readonly problem: SurrogateProblem;
  readonly solution: LabelSolution;
  readonly choice?: readonly SurrogateOption[];
  readonly packed: boolean;
}

function solveCompiled(problem: SurrogateProblem, target: LabelGoal, packed: boolean): SolvedGoal {
  const compiled = compileLabels(problem, target);
  const solution = solveLabels(compiled);
  const { incumbent } = solution;
  if (incumbent === undefined) return { problem, solution, packed };
  return { problem, solution, packed, choice: chosenOptions(problem, incumbent.choice) };
}

const sizeOf = ({ cpuCores, memoryBytes, gpus }: Resources): string => `${cpuCores} ${memoryBytes} ${gpus}`;

function countsBySize(stages: SurrogateProblem['stages']): readonly ((o: SurrogateOption) => number)[] {
  const sizes = new Set(stages.flat().map(({ option }) => sizeOf(option.resources)));
  return [...sizes].map(
    (size) =>
      ({ option }) =>
        sizeOf(option.resources) === size ? option.replicas : 0,
  );
}

export function solveGoal(problem: SurrogateProblem, target: LabelGoal): SolvedGoal {
  const { nodes, copies } = problem;
  if (nodes === undefined) return solveCompiled(problem, target, false);
  let unsettled = false;
  const fit = (choice: readonly SurrogateOption[]): boolean => {
    const options = choice.map(({ option }) => option);
    const known = packingOf(options, nodes, copies);
    unsettled ||= known === 'unsettled';
    return known === 'fits';
  };
  const stages = problem.stages.map((options) => options.filter((o) => fit([o])));
  const able = { ...problem, stages };
  const first = solveCompiled(able, target, false);
  if (first.choice === undefined || fit(first.choice)) return first;
  const second = solveCompiled(able, { ...target, tracked: countsBySize(stages), accepts: fit }, true);
  const { solution } = second;
  const proof = unsettled
    ? { optimal: false, upperBound: first.solution.upperBound }
    : { optimal: solution.optimal, upperBound: solution.upperBound };
  return { ...second, solution: { ...solution, ...proof, labels: first.solution.labels + solution.labels } };
}
