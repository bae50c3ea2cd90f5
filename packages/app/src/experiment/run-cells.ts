/** Simulates the cells of a grid on all cores, each kept as soon as it is finished. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { AppError } from '@equipoise/core';
import type { CellAnswer } from './cell-thread.js';
import type { CellResult, ExperimentCell, ReadGrid } from './experiment-cell.js';
import type { KeptCells } from './kept-cells.js';

/** Told of every cell, `found` among those finished before. */
export type CellListener = (cell: ExperimentCell, how: 'found' | 'simulated') => void;

/** The results in the order of the cells. The first cell that fails ends the run with its AppError; what is finished stays kept. */
export async function runCells(grid: ReadGrid, kept: KeptCells, onCell: CellListener): Promise<readonly CellResult[]> {
  const results = new Map<ExperimentCell, CellResult>();
  const waiting: ExperimentCell[] = [];
  for (const cell of grid.cells) {
    const found = kept.find(cell);
    if (found === undefined) waiting.push(cell);
    else {
      results.set(cell, found);
      onCell(cell, 'found');
    }
  }
  const finish = (cell: ExperimentCell, result: CellResult): void => {
    kept.keep(cell, result);
    results.set(cell, result);
    onCell(cell, 'simulated');
  };
  const threads = Array.from({ length: Math.min(availableParallelism(), waiting.length) }, () => newThread(grid));
  try {
    await Promise.all(threads.map((thread) => workOff(thread, waiting, finish)));
  } finally {
    await Promise.all(threads.map((thread) => thread.terminate()));
  }
  return grid.cells.map((cell) => results.get(cell) as CellResult);
}

const newThread = ({ pipelines }: ReadGrid): Worker =>
  new Worker(new URL('./cell-thread.js', import.meta.url), { workerData: pipelines, execArgv: [] });

function workOff(
  thread: Worker,
  waiting: ExperimentCell[],
  finish: (cell: ExperimentCell, result: CellResult) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let current: ExperimentCell | undefined;
    const next = (): void => {
      current = waiting.shift();
      if (current === undefined) resolve();
      else thread.postMessage(current);
    };
    thread.on('error', reject);
    thread.on('message', (answer: CellAnswer) => {
      if (current === undefined) return;
      if ('error' in answer) return reject(cellError(current, answer.error));
      finish(current, answer.result);
      next();
    });
    next();
  });
}

function cellError(cell: ExperimentCell, error: Extract<CellAnswer, { error: unknown }>['error']): AppError {
  const { pipeline, load, policy, seed } = cell;
  const details = { pipeline, load, policy, seed };
  return new AppError(error.code, `${pipeline}, ${load}, ${policy}, seed ${seed}: ${error.message}`, { details });
}
