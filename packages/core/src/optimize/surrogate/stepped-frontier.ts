/**
 * The Pareto front of PAS and cost one point after another, for problems on which the sweep of surrogate-frontier does not apply (measured
 * accuracies, machines of given sizes): the most accurate choice, then again and again the most accurate one that costs less than the last.
 */
import { costOf } from '../problem/objective-value.js';
import { solve } from './solve.js';
import type { SurrogateOption, SurrogateProblem } from './surrogate.js';

const MOST_POINTS = 400;
/** Above the room that limits leave for rounding. */
const LEAST_STEP = 1e-6;

/** Choices on the front from the most accurate down; each costs less than the last by at least the fraction `tolerance`. */
export function steppedFrontier(problem: SurrogateProblem, tolerance: number): readonly (readonly SurrogateOption[])[] {
  const [cpuCores, memoryBytes, gpus, costPerHour] = problem.limits;
  const choices: (readonly SurrogateOption[])[] = [];
  let mostCost = costPerHour;
  while (choices.length < MOST_POINTS) {
    const affordable = problem.stages.map((options) => options.filter((o) => o.costPerHour <= mostCost));
    const { choice } = solve({
      ...problem,
      stages: affordable,
      objective: { kind: 'max-accuracy' },
      limits: [cpuCores, memoryBytes, gpus, mostCost],
    });
    if (choice === undefined) break;
    choices.push(choice);
    mostCost = costOf(choice) * (1 - Math.max(tolerance, LEAST_STEP));
  }
  return choices;
}
