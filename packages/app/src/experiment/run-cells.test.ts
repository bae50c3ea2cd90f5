import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { runCells } from '../cells/run-cells.js';
import { type CellOutcome, cellName, cellText, type ExperimentCell, simulationOrder } from './experiment-cell.js';

const cell = (seed: number, pipeline = 'shelf'): ExperimentCell => ({
  ...{ pipeline, load: 'bursty', policy: 'ipa', seed, platform: 'simulator', digest: `${pipeline}${seed}` },
  ...{ loadSpec: { kind: 'poisson', arrivalRps: 1, durationS: 1 }, forecaster: 'smoothed-rate', excludeFirstS: 0 },
});

/** Runs cells in threads that execute `body`, where `cell` is the requested cell. */
async function ran(
  body: string,
  cells: readonly ExperimentCell[],
  over: { threads?: number; stop?: AbortSignal; afterStop?: string } = {},
) {
  const source = `const { parentPort } = require('node:worker_threads');
    parentPort.on('message', (cell) => { ${body} });`;
  const seen: string[] = [];
  await runCells<ExperimentCell, CellOutcome>(simulationOrder(cells), {
    ...{ threads: 2, stop: new AbortController().signal, ...over },
    newThread: () => new Worker(source, { eval: true, execArgv: [] }),
    nameOf: (named) => ({ text: cellText(named), details: cellName(named) }),
    onCell: ({ digest }) => seen.push(digest),
  });
  return seen;
}

const ANSWER = "parentPort.postMessage({ kind: 'infeasible', cell: { ...cell, message: '' } });";

describe('runCells', () => {
  it('takes the seeds of a pipeline in turn, pipeline by pipeline', async () => {
    const cells = [cell(2, 'a'), cell(1, 'a'), cell(2, 'b'), cell(1, 'b')];
    expect(await ran(ANSWER, cells, { threads: 1 })).toEqual(['a1', 'a2', 'b1', 'b2']);
  });

  it('names the cell in which a thread ends', async () => {
    const message = 'shelf, bursty, ipa, seed 2: its thread ended: exit code 7';
    const dying = ran(`if (cell.seed === 2) process.exit(7); else { ${ANSWER} }`, [cell(1), cell(2), cell(3)]);
    await expect(dying).rejects.toMatchObject({ code: 'INTERNAL_ERROR', message, details: { seed: 2 } });
  });

  it('names the cell in which a thread runs out of memory or throws', async () => {
    const dying = ran("throw new Error('out of memory');", [cell(1)]);
    await expect(dying).rejects.toMatchObject({
      message: 'shelf, bursty, ipa, seed 1: its thread ended: out of memory',
    });
  });

  it('ends with the code of a cell that fails', async () => {
    const failing = ran("parentPort.postMessage({ kind: 'failed', code: 'PROFILE_INVALID', message: 'no points' });", [
      cell(3),
    ]);
    await expect(failing).rejects.toMatchObject({
      code: 'PROFILE_INVALID',
      message: 'shelf, bursty, ipa, seed 3: no points',
    });
  });

  it('ends threads in the middle of a cell when it is stopped', async () => {
    const stop = new AbortController();
    setImmediate(() => stop.abort());
    const stopped = ran('for (;;) {}', [cell(1), cell(2)], { stop: stop.signal });
    await expect(stopped).rejects.toMatchObject({ code: 'INTERRUPTED' });
  });

  it.each([
    [undefined, 'Stopped. Finished cells are saved; the same command continues from there.'],
    ['Nothing is saved.', 'Stopped. Nothing is saved.'],
  ])('says what a stopped run leaves: %j', async (afterStop, message) => {
    const stopped = ran('for (;;) {}', [cell(1)], { stop: AbortSignal.abort(), ...(afterStop && { afterStop }) });
    await expect(stopped).rejects.toMatchObject({ message });
  });
});
