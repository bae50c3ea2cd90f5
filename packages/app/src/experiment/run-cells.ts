/** Simulates cells in threads and reports each at once. */
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { AppError } from '@equipoise/core/model';
import type { CellAnswer } from './cell-thread.js';
import { type CellOutcome, cellName, cellText, type ExperimentCell } from './experiment-cell.js';
import type { ReadGrid } from './read-grid.js';

export interface CellRun {
  readonly threads: number;
  readonly newThread: () => Worker;
  readonly onCell: (cell: ExperimentCell, outcome: CellOutcome) => void;
  /** Ends threads, even in the middle of a cell. */
  readonly stop: AbortSignal;
}

export const cellThread = (pipelines: ReadGrid['pipelines']): Worker =>
  new Worker(createRequire(import.meta.url).resolve('equipoise/cell-thread'), { workerData: pipelines, execArgv: [] });

/** Simulates cells. Rejects with the error of the first failed cell or thread, or INTERRUPTED after a stop. */
export async function runCells(cells: readonly ExperimentCell[], run: CellRun): Promise<void> {
  const waiting = inOrder(cells);
  const threads = Array.from({ length: Math.min(run.threads, waiting.length) }, run.newThread);
  try {
    await Promise.all(threads.map((thread) => workOff(thread, waiting, run)));
  } finally {
    await Promise.all(threads.map((thread) => thread.terminate()));
  }
}

/** Sorted by pipeline and seed: policies share verdicts, and remaining cells take about as long as finished ones. */
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
  new AppError('INTERRUPTED', 'Stopped. Finished cells are saved; the same command continues from there.');

function cellError(cell: ExperimentCell, { code, message }: { code: AppError['code']; message: string }): AppError {
  return new AppError(code, `${cellText(cell)}: ${message}`, { details: { ...cellName(cell) } });
}
