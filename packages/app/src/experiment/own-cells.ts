/** Simulates cells of users' policies. Each has a thread of its own, so that a policy harms no other cell. */
import { AppError } from '@equipoise/core/model';
import { CELLS_KEPT, type CellRun } from '../cells/run-cells.js';
import { interrupted } from '../terminal/stop-signal.js';
import { type CellOutcome, type CellPipeline, cellName, cellText, type ExperimentCell } from './experiment-cell.js';
import { OwnPolicyThread } from './own-policy-thread.js';
import type { ReadGrid } from './read-grid.js';

export type CellsRun = Pick<CellRun<ExperimentCell, CellOutcome>, 'threads' | 'stop' | 'onCell'>;

/** Rejects with the error of the first failed cell, or INTERRUPTED after a stop. */
export async function simulateOwnCells(
  cells: readonly ExperimentCell[],
  pipelines: ReadGrid['pipelines'],
  { threads, stop, onCell }: CellsRun,
): Promise<void> {
  const waiting = cells.values();
  const end = new AbortController();
  const signal = AbortSignal.any([stop, end.signal]);
  const work = async (): Promise<void> => {
    for (const cell of waiting) onCell(cell, await outcomeOf(cell, pipelines[cell.pipeline] as CellPipeline, signal));
  };
  try {
    await Promise.all(Array.from({ length: Math.min(threads, cells.length) }, work));
  } catch (error) {
    if (stop.aborted) throw interrupted(CELLS_KEPT);
    throw error;
  } finally {
    end.abort();
  }
}

async function outcomeOf(cell: ExperimentCell, pipeline: CellPipeline, signal: AbortSignal): Promise<CellOutcome> {
  signal.throwIfAborted();
  const { policyFile: path = '' } = cell;
  const thread = new OwnPolicyThread<CellOutcome>({ kind: 'simulate', path, cell, pipeline });
  const close = () => void thread.close();
  signal.addEventListener('abort', close);
  try {
    return await thread.ask();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const details = { ...cellName(cell) };
    throw new AppError(error.code, `${cellText(cell)}: ${error.message}`, { details, cause: error });
  } finally {
    signal.removeEventListener('abort', close);
    await thread.close();
  }
}
