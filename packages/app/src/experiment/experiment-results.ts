/** The results of an experiment as its files and `--json` give them. */
import type { CellOutcome, CellResult, InfeasibleCell } from './experiment-cell.js';

/** Simulated cells in the order of the grid, and those whose policy had no plan, where there are any. */
export interface ExperimentResults {
  readonly cells: readonly CellResult[];
  readonly infeasible?: readonly InfeasibleCell[];
}

/** Collects the outcomes in their order. */
export function resultsOf(outcomes: readonly CellOutcome[]): ExperimentResults {
  const cells = outcomes.flatMap((outcome) => (outcome.kind === 'simulated' ? [outcome.result] : []));
  const infeasible = outcomes.flatMap((outcome) => (outcome.kind === 'infeasible' ? [outcome.cell] : []));
  return { cells, ...(infeasible.length > 0 && { infeasible }) };
}

/** Results that depend on the grid alone. */
export interface RepeatableResults extends Omit<ExperimentResults, 'cells'> {
  readonly cells: readonly Omit<CellResult, 'elapsedMs'>[];
}

/** Removes the times that cells took, so that the same grid gives the same files. */
export function repeatableResults({ cells, ...rest }: ExperimentResults): RepeatableResults {
  return { cells: cells.map(({ elapsedMs: _, ...cell }) => cell), ...rest };
}
