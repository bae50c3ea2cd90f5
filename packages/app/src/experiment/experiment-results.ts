import { type Estimate, estimateOf, type SeedFigures } from '../cells/seed-figures.js';
import { type CellGroup, cellGroups } from './cell-groups.js';
import type { CellName, CellOutcome, CellResult, InfeasibleCell } from './experiment-cell.js';

/** Figures of the tables, by their names in a cell. */
interface MeanFigures
  extends Pick<SeedFigures, 'sloAttainmentFraction' | 'pasMean' | 'cpuCoresMean' | 'costPerHourMean'> {
  readonly latencyMs: { readonly p99: Estimate };
}

/** Means over the seeds of a policy. */
interface PolicyMeans extends Omit<CellName, 'seed'> {
  readonly seeds: number;
  readonly figures: MeanFigures;
  /** From the first policy, seed by seed. Absent for that policy, and without common seeds. */
  readonly difference?: MeanFigures;
}

/** Results in grid order; cells without a plan are separate. */
export interface ExperimentResults {
  readonly cells: readonly CellResult[];
  readonly means: readonly PolicyMeans[];
  readonly infeasible?: readonly InfeasibleCell[];
}

/** `reference`: policy from which the others differ. */
export function resultsOf(outcomes: readonly CellOutcome[], reference: string): ExperimentResults {
  const cells = outcomes.flatMap((outcome) => (outcome.kind === 'measured' ? [outcome.result] : []));
  const infeasible = outcomes.flatMap((outcome) => (outcome.kind === 'infeasible' ? [outcome.cell] : []));
  const means = cellGroups(cells, reference).map(policyMeans);
  return { cells, means, ...(infeasible.length > 0 && { infeasible }) };
}

function policyMeans({ pipeline, load, policy, platform, seeds, figures, less }: CellGroup): PolicyMeans {
  const named = { pipeline, load, policy, platform, seeds, figures: meanFigures(figures) };
  return less === undefined ? named : { ...named, difference: meanFigures(less) };
}

function meanFigures(figures: CellGroup['figures']): MeanFigures {
  const { mean, low, high } = figures['within SLO %'];
  return {
    sloAttainmentFraction: estimateOf({ mean: mean / 100, low: low / 100, high: high / 100 }),
    latencyMs: { p99: estimateOf(figures['p99 ms']) },
    pasMean: estimateOf(figures.accuracy),
    cpuCoresMean: estimateOf(figures.cores),
    costPerHourMean: estimateOf(figures['cost per hour']),
  };
}

export interface RepeatableResults extends Omit<ExperimentResults, 'cells'> {
  readonly cells: readonly Omit<CellResult, 'elapsedMs'>[];
}

/** Removes durations, so that the same grid gives the same files. */
export function repeatableResults({ cells, ...rest }: ExperimentResults): RepeatableResults {
  return { cells: cells.map(({ elapsedMs: _, ...cell }) => cell), ...rest };
}
