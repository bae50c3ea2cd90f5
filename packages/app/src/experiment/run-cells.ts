/** Simulates cells in threads, each kept as soon as it is finished. Which thread a cell falls to changes nothing in what comes out. */
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { AppError } from '@equipoise/core/model';
import type { CellAnswer } from './cell-thread.js';
import { type CellOutcome, cellName, cellText, type ExperimentCell } from './experiment-cell.js';
import type { ReadGrid } from './read-grid.js';

/** How cells are run. */
export interface CellRun {
  readonly threads: number;
  readonly newThread: () => Worker;
  /** Told of every cell that has been simulated. */
  readonly onCell: (cell: ExperimentCell, outcome: CellOutcome) => void;
  /** Ends the threads in the middle of their cells. */
  readonly stop: AbortSignal;
}

/** A thread for the cells of these pipelines. */
export const cellThread = (pipelines: ReadGrid['pipelines']): Worker =>
  new Worker(createRequire(import.meta.url).resolve('equipoise/cell-thread'), { workerData: pipelines, execArgv: [] });

/**
 * Simulates all cells. The first cell that fails, and a thread that ends by itself, ends the run with an AppError that names the cell;
 * a stop ends it with INTERRUPTED.
 */
export async function runCells(cells: readonly ExperimentCell[], run: CellRun): Promise<void> {
  const waiting = inOrder(cells);
  const threads = Array.from({ length: Math.min(run.threads, waiting.length) }, run.newThread);
  try {
    await Promise.all(threads.map((thread) => workOff(thread, waiting, run)));
  } finally {
    await Promise.all(threads.map((thread) => thread.terminate()));
  }
}

/** Seed by seed within a pipeline: its policies ask for the same verdicts, and what is left takes about as long as what was done. */
function inOrder(cells: readonly ExperimentCell[]): ExperimentCell[] {
  const pipelines = [...new Set(cells.map(({ pipeline }) => pipeline))];
  const rank = ({ pipeline }: ExperimentCell): number => pipelines.indexOf(pipeline);
  return [...cells].sort((a, b) => rank(a) - rank(b) || a.seed - b.seed);
}

function workOff(thread: Worker, waiting: ExperimentCell[], { onCell, stop }: CellRun): Promise<void> {
  return new Promise((resolve, reject) => {
    let current: ExperimentCell | undefined;
    const next = (): void => {
      current = waiting.shift();
      if (current === undefined) resolve();
      else thread.postMessage(current);
    };
    const ended = (how: string): void => {
      if (current !== undefined)
        reject(cellError(current, { code: 'INTERNAL_ERROR', message: `its thread ended: ${how}` }));
    };
    const answered = (cell: ExperimentCell, answer: CellAnswer): void => {
      if (answer.kind === 'failed') reject(cellError(cell, answer));
      else {
        onCell(cell, answer);
        next();
      }
    };
    if (stop.aborted) return reject(interrupted());
    stop.addEventListener('abort', () => reject(interrupted()));
    thread.on('error', (error) => ended(error.message));
    thread.on('exit', (code) => ended(`exit code ${code}`));
    thread.on('message', (answer: CellAnswer) => {
      try {
        if (current !== undefined) answered(current, answer);
      } catch (error) {
        reject(error);
      }
    });
    next();
  });
}

const interrupted = (): AppError =>
  new AppError('INTERRUPTED', 'Stopped. The finished cells are kept; the same command goes on from there.');

function cellError(cell: ExperimentCell, { code, message }: { code: AppError['code']; message: string }): AppError {
  return new AppError(code, `${cellText(cell)}: ${message}`, { details: { ...cellName(cell) } });
}
