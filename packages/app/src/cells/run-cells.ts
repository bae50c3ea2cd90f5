/** Simulates cells in threads and reports each at once. */
import type { Worker } from 'node:worker_threads';
import { AppError } from '@equipoise/core/model';
import { interrupted } from '../terminal/stop-signal.js';
import { type FailedCell, isFailed } from './failed-cell.js';

/** `nameOf`: name of a cell for people, and fields that identify it for programs. */
export interface CellRun<Cell, Outcome> {
  readonly threads: number;
  readonly newThread: () => Worker;
  readonly onCell: (cell: Cell, outcome: Outcome) => void;
  readonly nameOf: (cell: Cell) => { readonly text: string; readonly details: object };
  /** Ends threads, even in the middle of a cell. */
  readonly stop: AbortSignal;
  /** Sentence on the work done so far. Default: it is kept. */
  readonly afterStop?: string;
}

/** Simulates cells in order. Rejects with the error of the first failed cell or thread, or INTERRUPTED after a stop. */
export async function runCells<Cell, Outcome extends { readonly kind: string }>(
  cells: readonly Cell[],
  run: CellRun<Cell, Outcome>,
): Promise<void> {
  const waiting = cells[Symbol.iterator]();
  const threads = Array.from({ length: Math.min(run.threads, cells.length) }, run.newThread);
  try {
    await Promise.all(threads.map((thread) => workOff(thread, waiting, run)));
  } finally {
    await Promise.all(threads.map((thread) => thread.terminate()));
  }
}

function workOff<Cell, Outcome extends { readonly kind: string }>(
  thread: Worker,
  waiting: Iterator<Cell>,
  { onCell, stop, nameOf, afterStop = CELLS_KEPT }: CellRun<Cell, Outcome>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let current: Cell | undefined;
    const failWith = (cell: Cell, { code, message }: Omit<FailedCell, 'kind'>): void => {
      const { text, details } = nameOf(cell);
      reject(new AppError(code, `${text}: ${message}`, { details: { ...details } }));
    };
    const next = (): void => {
      const { value, done } = waiting.next();
      current = done === true ? undefined : value;
      if (current === undefined) resolve();
      else thread.postMessage(current);
    };
    const ended = (how: string): void => {
      if (current !== undefined) failWith(current, { code: 'INTERNAL_ERROR', message: `its thread ended: ${how}` });
    };
    const answered = (cell: Cell, answer: Outcome | FailedCell): void => {
      if (isFailed(answer)) failWith(cell, answer);
      else {
        onCell(cell, answer);
        next();
      }
    };
    if (stop.aborted) return reject(interrupted(afterStop));
    stop.addEventListener('abort', () => reject(interrupted(afterStop)));
    thread.on('error', (error) => ended(error.message));
    thread.on('exit', (code) => ended(`exit code ${code}`));
    thread.on('message', (answer: Outcome | FailedCell) => {
      try {
        if (current !== undefined) answered(current, answer);
      } catch (error) {
        reject(error);
      }
    });
    next();
  });
}

export const CELLS_KEPT = 'Finished cells are saved; the same command continues from there.';
