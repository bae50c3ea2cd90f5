/** Serves cells one after the other, with the time left. */

import { AppError } from '@equipoise/core/model';
import { loadDurationS } from '@equipoise/core/simulate';
import { CELLS_KEPT } from '../cells/run-cells.js';
import { progressDisplay } from '../terminal/progress.js';
import { interrupted } from '../terminal/stop-signal.js';
import { type CellOutcome, cellName, cellText, type ExperimentCell } from './experiment-cell.js';

export interface CellService {
  readonly stop: AbortSignal;
  /** Serves one cell; rejects with INFEASIBLE if it has no first plan. */
  readonly serve: (cell: ExperimentCell) => Promise<CellOutcome>;
  readonly onCell: (cell: ExperimentCell, outcome: CellOutcome) => void;
}

const SHOW_EVERY_MS = 500;
/** Usual time to start and end a pipeline on this machine, for the time left. */
const AROUND_MS = 3000;

const expectedMs = ({ loadSpec }: ExperimentCell): number => 1000 * loadDurationS(loadSpec) + AROUND_MS;

/** Rejects with the error of the first failed cell, or INTERRUPTED after a stop. */
export async function serveCells(cells: readonly ExperimentCell[], service: CellService): Promise<void> {
  if (cells.length === 0) return;
  const display = progressDisplay('experiment');
  const totalMs = cells.reduce((sum, cell) => sum + expectedMs(cell), 0);
  let doneMs = 0;
  try {
    for (const cell of cells) {
      if (service.stop.aborted) throw interrupted(CELLS_KEPT);
      const beganAtMs = performance.now();
      const show = () => {
        const nowMs = doneMs + Math.min(expectedMs(cell), performance.now() - beganAtMs);
        const [doneUnits, totalUnits] = [Math.round(nowMs / 1000), Math.round(totalMs / 1000)];
        display.show({ doneUnits, totalUnits, etaMs: totalMs - nowMs, label: `seconds: ${cellText(cell)}` });
      };
      show();
      const timer = setInterval(show, SHOW_EVERY_MS);
      try {
        service.onCell(cell, await outcomeOf(cell, service));
      } finally {
        clearInterval(timer);
      }
      doneMs += expectedMs(cell);
    }
  } finally {
    display.stop();
  }
}

async function outcomeOf(cell: ExperimentCell, { serve, stop }: CellService): Promise<CellOutcome> {
  try {
    return await serve(cell);
  } catch (error) {
    if (stop.aborted) throw interrupted(CELLS_KEPT);
    if (!(error instanceof AppError)) throw error;
    const { code, message, details } = error;
    if (code === 'INFEASIBLE') return { kind: 'infeasible', cell: { ...cellName(cell), message } };
    throw new AppError(code, `${cellText(cell)}: ${message}`, {
      details: { ...details, ...cellName(cell) },
      cause: error,
    });
  }
}
