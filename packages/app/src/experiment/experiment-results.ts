import type { CellOutcome, CellResult, InfeasibleCell } from './experiment-cell.js';

/** Results in grid order; cells without a plan are separate. */
export interface ExperimentResults {
  readonly cells: readonly CellResult[];
  readonly infeasible?: readonly InfeasibleCell[];
}

export function resultsOf(outcomes: readonly CellOutcome[]): ExperimentResults {
  const cells = outcomes.flatMap((outcome) => (outcome.kind === 'measured' ? [outcome.result] : []));
  const infeasible = outcomes.flatMap((outcome) => (outcome.kind === 'infeasible' ? [outcome.cell] : []));
  return { cells, ...(infeasible.length > 0 && { infeasible }) };
}

export interface RepeatableResults extends Omit<ExperimentResults, 'cells'> {
  readonly cells: readonly Omit<CellResult, 'elapsedMs'>[];
}

/** Removes durations, so that the same grid gives the same files. */
export function repeatableResults({ cells, ...rest }: ExperimentResults): RepeatableResults {
  return { cells: cells.map(({ elapsedMs: _, ...cell }) => cell), ...rest };
}
