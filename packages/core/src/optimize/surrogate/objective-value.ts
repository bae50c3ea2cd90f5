import type { Objective } from '../../model/pipeline-spec.js';
import type { SurrogateOption } from '../options/surrogate.js';
import type { AccuracyModel } from '../problem/accuracy-model.js';

/** Value of a choice: PAS, cost per hour, or α·PAS − β·cost − δ·Σ batch. */

/** PAS of options in stage order; 0 if a required measurement is missing. */
export const pasOf = (accuracy: AccuracyModel, choice: readonly SurrogateOption[]): number =>
  accuracy.pas(choice.map(({ option }) => option.variantIndex)) ?? 0;

/** Cost per hour, switching included. */
export const costOf = (choice: readonly SurrogateOption[]): number => choice.reduce((sum, o) => sum + o.costPerHour, 0);

/** Value of the objective; larger is better, except for `min-cost`. */
export function objectiveValue(
  objective: Objective,
  accuracy: AccuracyModel,
  choice: readonly SurrogateOption[],
): number {
  switch (objective.kind) {
    case 'max-accuracy':
      return pasOf(accuracy, choice);
    case 'min-cost':
      return costOf(choice);
    case 'weights': {
      const batches = choice.reduce((sum, { option }) => sum + option.maxBatchSize, 0);
      return objective.accuracy * pasOf(accuracy, choice) - objective.cost * costOf(choice) - objective.batch * batches;
    }
  }
}

/** True if `a` is better than `b` beyond rounding. */
export function isBetter(objective: Objective, a: number, b: number): boolean {
  const slack = 1e-12 * Math.max(1, Math.abs(b));
  return objective.kind === 'min-cost' ? a < b - slack : a > b + slack;
}
