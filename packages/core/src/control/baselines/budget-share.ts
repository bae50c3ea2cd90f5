/** Replicas that fit the budget of cores, for policies that do not know it: a cluster leaves the others pending. */
import { AppError } from '../../model/app-error.js';
import type { PipelineSpec } from '../../model/pipeline-spec.js';
import { type Configuration, withinBounds } from './hand-configuration.js';

const TOLERANCE = 1e-9;

/** True if the minimum of replicas of each stage is within the budget. */
export function fitsOnce({ budget }: Pick<PipelineSpec, 'budget'>, configurations: readonly Configuration[]): boolean {
  const cores = configurations.reduce((sum, { stage, curve }) => sum + withinBounds(stage, 1) * curve.cpuCores, 0);
  return cores <= (budget.cpuCores ?? Number.POSITIVE_INFINITY) + TOLERANCE;
}

/**
 * `wanted` replicas within the budget. Each stage first gets its minimum. Then the stage with the lowest fraction of its
 * wish gets the next replica, if that fits. Throws AppError INFEASIBLE if even the minimum does not fit.
 */
export function withinBudget(
  { budget }: Pick<PipelineSpec, 'budget'>,
  configurations: readonly Configuration[],
  wanted: readonly number[],
): readonly number[] {
  const { cpuCores: limit = Number.POSITIVE_INFINITY } = budget;
  const coresOf = (i: number): number => configurations[i]?.curve.cpuCores ?? 0;
  const total = (replicas: readonly number[]): number => replicas.reduce((sum, n, i) => sum + n * coresOf(i), 0);
  if (total(wanted) <= limit + TOLERANCE) return wanted;
  const granted = configurations.map(({ stage }) => withinBounds(stage, 1));
  let cores = total(granted);
  if (cores > limit + TOLERANCE)
    throw new AppError('INFEASIBLE', `One replica of each stage needs ${cores} cores, the budget is ${limit}.`);
  for (;;) {
    const [next] = wanted
      .map((wish, i) => ({ i, filled: (granted[i] ?? 0) / wish }))
      .filter(({ i, filled }) => filled < 1 && cores + coresOf(i) <= limit + TOLERANCE)
      .sort((a, b) => a.filled - b.filled);
    if (next === undefined) return granted;
    granted[next.i] = (granted[next.i] ?? 0) + 1;
    cores += coresOf(next.i);
  }
}
