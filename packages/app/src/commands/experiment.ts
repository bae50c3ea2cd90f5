/** `equipoise experiment`: simulates a grid of policies, pipelines, loads and seeds on all cores. */
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { ProgressMeter } from '@equipoise/runtime';
import pc from 'picocolors';
import { cellGroups } from '../experiment/cell-groups.js';
import { codeDigest } from '../experiment/code-digest.js';
import { type CellOutcome, cellText, type ExperimentCell } from '../experiment/experiment-cell.js';
import { experimentCsv } from '../experiment/experiment-csv.js';
import { type ExperimentResults, repeatableResults, resultsOf } from '../experiment/experiment-results.js';
import { groupTables } from '../experiment/experiment-tables.js';
import { KeptCells } from '../experiment/kept-cells.js';
import { type ReadGrid, readGrid } from '../experiment/read-grid.js';
import { cellThread, runCells } from '../experiment/run-cells.js';
import { writeWhole } from '../experiment/write-whole.js';
import { counted } from '../terminal/counted.js';
import { progressDisplay } from '../terminal/progress.js';
import type { CommandResult } from '../terminal/run-command.js';
import { stopSignal } from '../terminal/stop-signal.js';
import { textTable } from '../terminal/text-table.js';

export interface ExperimentOptions {
  readonly out?: string;
  readonly threads?: number;
}

export async function experiment(file: string, options: ExperimentOptions): Promise<CommandResult> {
  const read = await readGrid(file, codeDigest());
  await (await import('../report/plot.js')).requirePlots();
  const { name, baseDir } = read.grid;
  const folder = resolve(options.out ?? join(baseDir, '.equipoise', 'experiments', name));
  const outcomes = await finished(read, new KeptCells(join(folder, 'cells')), options.threads);
  const results = resultsOf(outcomes);
  const files = await writeResults(folder, read, results);
  return {
    json: results,
    text: experimentText(read, results, files),
    answerIsNo: results.cells.length === 0,
  };
}

async function finished(
  { cells, pipelines }: ReadGrid,
  kept: KeptCells,
  threads = availableParallelism(),
): Promise<readonly CellOutcome[]> {
  const outcomes = new Map<ExperimentCell, CellOutcome>();
  for (const cell of cells) {
    const found = kept.find(cell);
    if (found !== undefined) outcomes.set(cell, found);
  }
  const waiting = cells.filter((cell) => !outcomes.has(cell));
  const stop = new AbortController();
  void stopSignal().then(() => stop.abort());
  await withProgress({ waiting: waiting.length, found: outcomes.size }, (tell) =>
    runCells(waiting, {
      threads,
      stop: stop.signal,
      newThread: () => cellThread(pipelines),
      onCell: (cell, outcome) => {
        kept.keep(cell, outcome);
        outcomes.set(cell, outcome);
        tell(cell);
      },
    }),
  );
  return cells.map((cell) => outcomes.get(cell) as CellOutcome);
}

/** Shows progress. Only simulated cells count for the remaining time. */
async function withProgress(
  count: { readonly waiting: number; readonly found: number },
  work: (tell: (cell: ExperimentCell) => void) => Promise<void>,
): Promise<void> {
  if (count.waiting === 0) return;
  const display = progressDisplay('experiment');
  const meter = new ProgressMeter(
    { nowMs: () => performance.now() },
    { totalUnits: count.waiting, expectedUnitMs: Number.NaN, listener: (progress) => display.show(progress) },
  );
  const before = count.found === 0 ? '' : ` (finished before: ${count.found})`;
  meter.begin(`${counted(count.waiting, 'simulation')}${before}`);
  try {
    await work((cell) => meter.finish(1, `${cellText(cell)}${before}`));
  } finally {
    display.stop();
  }
}

async function writeResults(folder: string, read: ReadGrid, results: ExperimentResults): Promise<readonly string[]> {
  const { experimentReport } = await import('../report/experiment-report.js');
  const repeatable = repeatableResults(results);
  const contents: Readonly<Record<string, string>> = {
    'results.csv': experimentCsv(repeatable.cells),
    'results.json': `${JSON.stringify(repeatable, null, 1)}\n`,
    'report.html': await experimentReport(read, results),
  };
  return Object.entries(contents).map(([file, text]) => {
    const path = join(folder, file);
    writeWhole(path, text);
    return path;
  });
}

function experimentText(
  { grid: { policies } }: ReadGrid,
  { cells, infeasible = [] }: ExperimentResults,
  files: readonly string[],
): string {
  const [reference = ''] = policies;
  const tables = groupTables(cellGroups(cells, reference), reference).map(({ title, head, rows }) => {
    const [first = '', ...figures] = head;
    // Intervals are in the line below the means, because terminals are narrow.
    const stacked = rows.map((row) => row.map((cell) => cell.replace(' (', '\n(')));
    return `${pc.bold(title)}\n${textTable([first, ...figures.map((right) => ({ right }))], stacked)}`;
  });
  const without = infeasible.map((cell) => pc.yellow(`${cellText(cell)}: ${cell.message}`));
  const legend = pc.dim(
    'means with 95 % intervals over the seeds; ± half the interval of a difference, * if it excludes 0',
  );
  return [...tables, ...(without.length > 0 ? [without.join('\n')] : []), `${legend}\n${files.join('\n')}`].join(
    '\n\n',
  );
}
