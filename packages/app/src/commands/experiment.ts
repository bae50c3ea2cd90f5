/** `equipoise experiment`: simulates a grid of policies, pipelines, loads and seeds on all cores. */
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import pc from 'picocolors';
import { cellGroups } from '../experiment/cell-groups.js';
import { withCellProgress } from '../experiment/cell-progress.js';
import { codeDigest } from '../experiment/code-digest.js';
import {
  type CellOutcome,
  cellName,
  cellText,
  type ExperimentCell,
  simulationOrder,
} from '../experiment/experiment-cell.js';
import { experimentCsv } from '../experiment/experiment-csv.js';
import { type ExperimentResults, repeatableResults, resultsOf } from '../experiment/experiment-results.js';
import { groupTables } from '../experiment/experiment-tables.js';
import { KeptCells } from '../experiment/kept-cells.js';
import { type ReadGrid, readGrid } from '../experiment/read-grid.js';
import { cellThread, runCells } from '../experiment/run-cells.js';
import { writeWhole } from '../experiment/write-whole.js';
import { experimentPage } from '../report/experiment-page.js';
import { htmlPage } from '../report/page/html-page.js';
import type { CommandResult } from '../terminal/run-command.js';
import { stopSignal } from '../terminal/stop-signal.js';
import { textTable } from '../terminal/text-table.js';

export interface ExperimentOptions {
  readonly out?: string;
  readonly threads?: number;
}

export async function experiment(file: string, options: ExperimentOptions): Promise<CommandResult> {
  const read = await readGrid(file, codeDigest());
  const { name, baseDir } = read.grid;
  const folder = resolve(options.out ?? join(baseDir, '.equipoise', 'experiments', name));
  const outcomes = await finished(read, new KeptCells(join(folder, 'cells')), options.threads);
  const results = resultsOf(outcomes);
  const files = writeResults(folder, read, results);
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
  await withCellProgress({ title: 'experiment', waiting: waiting.length, found: outcomes.size }, (tell) =>
    runCells<ExperimentCell, CellOutcome>(simulationOrder(waiting), {
      threads,
      stop: stop.signal,
      newThread: () => cellThread(pipelines),
      nameOf: (cell) => ({ text: cellText(cell), details: cellName(cell) }),
      onCell: (cell, outcome) => {
        kept.keep(cell, outcome);
        outcomes.set(cell, outcome);
        tell(cellText(cell));
      },
    }),
  );
  return cells.map((cell) => outcomes.get(cell) as CellOutcome);
}

function writeResults(folder: string, read: ReadGrid, results: ExperimentResults): readonly string[] {
  const repeatable = repeatableResults(results);
  const contents: Readonly<Record<string, string>> = {
    'results.csv': experimentCsv(repeatable.cells),
    'results.json': `${JSON.stringify(repeatable, null, 1)}\n`,
    'report.html': htmlPage(experimentPage(read, results)),
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
