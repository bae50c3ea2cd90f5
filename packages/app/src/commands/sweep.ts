/** `equipoise sweep`: simulates plans or policies along axes on all cores. */
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { PolicyName } from '@equipoise/core/plan';
import pc from 'picocolors';
import { withCellProgress } from '../cells/cell-progress.js';
import { codeDigest } from '../cells/code-digest.js';
import { figuresCsv } from '../cells/figures-csv.js';
import { KeptOutcomes } from '../cells/kept-outcomes.js';
import { ownThread } from '../cells/own-thread.js';
import { runCells } from '../cells/run-cells.js';
import { writeFiles } from '../cells/write-whole.js';
import { htmlPage } from '../report/page/html-page.js';
import { sweepPage } from '../report/sweep-page.js';
import { type ReadSweep, readSweep, type SweepRequest } from '../sweep/read-sweep.js';
import { parseAxis } from '../sweep/sweep-axes.js';
import { type SweepCell, type SweepOutcome, sweepCellText } from '../sweep/sweep-cell.js';
import { cellRows, pointRows, type SweepResults, sweepResults } from '../sweep/sweep-results.js';
import { sweepText } from '../sweep/sweep-text.js';
import type { CommandResult } from '../terminal/run-command.js';
import { stopSignal } from '../terminal/stop-signal.js';

export interface SweepOptions extends Omit<SweepRequest, 'axis'> {
  readonly axis?: readonly string[];
  readonly policy?: readonly PolicyName[];
  readonly out?: string;
  readonly threads?: number;
}

export async function sweep(
  file: string,
  { axis = [], out, threads, ...request }: SweepOptions,
): Promise<CommandResult> {
  const read = await readSweep(file, { ...request, axis: axis.map(parseAxis) }, codeDigest());
  const folder = resolve(out ?? join(dirname(file), '.equipoise', 'sweeps', read.pipeline.spec.name));
  const outcomes = await finished(read, folder, threads);
  const results = sweepResults(read, outcomes);
  const files = writeResults(folder, { read, results, outcomes });
  return {
    json: results,
    text: `${sweepText(results)}\n${pc.dim(files.join('\n'))}`,
    answerIsNo: results.points.every(({ figures }) => figures === undefined),
  };
}

/** Outcomes in the order of the cells. */
async function finished(
  { cells, pipeline }: ReadSweep,
  folder: string,
  threads = availableParallelism(),
): Promise<readonly SweepOutcome[]> {
  const kept = new KeptOutcomes<SweepOutcome>(join(folder, 'cells.jsonl'), new Set(cells.map(({ digest }) => digest)));
  const waiting = cells.filter(({ digest }) => kept.find(digest) === undefined);
  const stop = new AbortController();
  void stopSignal().then(() => stop.abort());
  const count = { title: 'sweep', waiting: waiting.length, found: cells.length - waiting.length };
  await withCellProgress(count, (tell) =>
    runCells<SweepCell, SweepOutcome>(waiting, {
      threads,
      stop: stop.signal,
      afterStop: 'Finished simulations are saved; the same command continues from there.',
      newThread: () => ownThread('sweep', pipeline),
      nameOf: (cell) => ({ text: sweepCellText(pipeline.subjects, cell), details: { ...cell.at, seed: cell.seed } }),
      onCell: (cell, outcome) => {
        kept.keep(cell.digest, outcome);
        tell(sweepCellText(pipeline.subjects, cell));
      },
    }),
  );
  return cells.map(({ digest }) => kept.find(digest) as SweepOutcome);
}

interface FinishedSweep {
  readonly read: ReadSweep;
  readonly results: SweepResults;
  readonly outcomes: readonly SweepOutcome[];
}

function writeResults(folder: string, { read, results, outcomes }: FinishedSweep): readonly string[] {
  return writeFiles(folder, {
    'points.csv': figuresCsv(pointRows(results)),
    'cells.csv': figuresCsv(cellRows(read, outcomes)),
    'results.json': `${JSON.stringify(results, null, 1)}\n`,
    'report.html': htmlPage(sweepPage(results)),
  });
}
