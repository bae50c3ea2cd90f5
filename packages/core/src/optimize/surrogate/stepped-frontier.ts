/**
 * The Pareto front of PAS and cost one point after another, for problems on which the sweep of surrogate-frontier does not apply (measured
 * accuracies, machines of given sizes): the most accurate choice, then again and again the most accurate one that costs less than the last.
 */

import type { SurrogateProblem } from '../options/surrogate.js';
import { withRounding } from '../problem/resource-use.js';
import { costOf, pasOf } from './objective-value.js';
import { solve } from './solve.js';
import type { FrontierChoice, SurrogateFrontier } from './surrogate-frontier.js';

const MOST_POINTS = 400;
/** Above the room that limits leave for rounding. */
const LEAST_STEP = 1e-6;

/** The front; each of its points costs less than the next by at least the fraction `tolerance`. */
export function steppedFrontier(problem: SurrogateProblem, tolerance: number): SurrogateFrontier {
  const [cpuCores, memoryBytes, gpus, costPerHour] = problem.limits;
  const points: FrontierChoice[] = [];
  let mostCost = costPerHour;
  let complete = true;
  while (points.length < MOST_POINTS) {
    const affordable = problem.stages.map((options) => options.filter((o) => o.costPerHour <= mostCost));
    const { choice, optimal } = solve({
      ...problem,
      stages: affordable,
      objective: { kind: 'max-accuracy' },
      limits: [cpuCores, memoryBytes, gpus, mostCost],
    });
    complete &&= optimal;
    if (choice === undefined) return { points, complete };
    const cost = costOf(choice);
    points.unshift({ choice, pas: pasOf(problem.accuracy, choice), costPerHour: cost });
    mostCost = cost * (1 - Math.max(tolerance, LEAST_STEP));
    // Nothing costs measurably less than nothing.
    if (withRounding(mostCost) >= cost) return { points, complete };
  }
  return { points, complete: false };
}
