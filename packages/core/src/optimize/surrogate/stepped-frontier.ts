/**
 * Pareto front point by point, for measured accuracies and for machines of given sizes. Each step finds the most
 * accurate choice below the previous cost.
 */

import type { SurrogateProblem } from '../options/surrogate.js';
import { withRounding } from '../problem/resource-use.js';
import { costOf, pasOf } from './objective-value.js';
import { solve } from './solve.js';
import type { FrontierChoice, SurrogateFrontier } from './surrogate-frontier.js';

const MOST_POINTS = 400;
/** Minimum relative cost step; larger than the rounding of limits. */
const LEAST_STEP = 1e-6;

/** Costs of neighbouring points differ by at least the fraction `tolerance`. */
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
    // No choice costs less than 0.
    if (withRounding(mostCost) >= cost) return { points, complete };
  }
  return { points, complete: false };
}
