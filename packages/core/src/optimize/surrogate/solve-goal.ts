/**
 * Solves one goal by label setting. With machines of given sizes the choice is packed on them afterwards; if it does not fit, the goal is
 * solved again with the replicas counted by size as further amounts, so that dominance respects what packing needs, and only choices that
 * fit accepted.
 */
import type { Resources } from '../../model/pipeline-spec.js';
import { chosenOptions, compileLabels, type LabelGoal } from '../labels/compile-labels.js';
import { type LabelSolution, solveLabels } from '../labels/solve-labels.js';
import { packs } from './node-packing.js';
import type { SurrogateOption, SurrogateProblem } from './surrogate.js';

/** A solved goal with its choice in stage order; `packed` when machines forced the second solve. */
export interface SolvedGoal {
  readonly solution: LabelSolution;
  readonly choice?: readonly SurrogateOption[];
  readonly packed: boolean;
}

function solved(problem: SurrogateProblem, target: LabelGoal, packed: boolean): SolvedGoal {
  const compiled = compileLabels(problem, target);
  const solution = solveLabels(compiled);
  const { incumbent } = solution;
  if (incumbent === undefined) return { solution, packed };
  return { solution, packed, choice: chosenOptions(problem, incumbent.choice) };
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

/** The best choice for `target`, if there is one. */
export function solveGoal(problem: SurrogateProblem, target: LabelGoal): SolvedGoal {
  const { nodes } = problem;
  if (nodes === undefined) return solved(problem, target, false);
  const fit = (choice: readonly SurrogateOption[]): boolean =>
    packs(
      choice.map(({ option }) => option),
      nodes,
    );
  const stages = problem.stages.map((options) => options.filter((o) => fit([o])));
  const able = { ...problem, stages };
  const first = solved(able, target, false);
  if (first.choice === undefined || fit(first.choice)) return first;
  const second = solved(able, { ...target, tracked: countsBySize(stages), accepts: fit }, true);
  const labels = first.solution.labels + second.solution.labels;
  return { ...second, solution: { ...second.solution, labels } };
}
