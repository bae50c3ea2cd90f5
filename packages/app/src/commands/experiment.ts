/** `equipoise experiment`: a grid of policies, pipelines, loads and seeds, simulated on all cores. */
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { AppError } from '@equipoise/core';
import { type ExperimentGrid, loadExperimentFile } from '@equipoise/pipeline-file';
import { ProgressMeter } from '@equipoise/runtime';
import pc from 'picocolors';
import { problemLines } from '../compose/load-spec.js';
import { cellGroups } from '../experiment/cell-groups.js';
import { type CellResult, readGrid } from '../experiment/experiment-cell.js';
import { experimentCsv } from '../experiment/experiment-csv.js';
import { groupTables } from '../experiment/experiment-tables.js';
import { KeptCells } from '../experiment/kept-cells.js';
import { runCells } from '../experiment/run-cells.js';
import { progressDisplay } from '../terminal/progress.js';
import type { CommandResult } from '../terminal/run-command.js';
import { textTable } from '../terminal/text-table.js';

/** Flags of the command. */
export interface ExperimentOptions {
  readonly out?: string;
}

/** Runs the grid of `file`, or what of it is not finished yet. */
export async function experiment(file: string, { out }: ExperimentOptions): Promise<CommandResult> {
  const grid = await gridOf(file);
  const read = await readGrid(grid);
  const folder = out === undefined ? join(grid.baseDir, '.equipoise', 'experiments', grid.name) : resolve(out);
  const kept = new KeptCells(join(folder, 'cells'));
  const cells = await withProgress(read.cells.length, (onCell) => runCells(read, kept, onCell));
  const files = await writeResults(folder, grid, cells);
  return { json: { cells }, text: experimentText(cells, files) };
}

async function gridOf(file: string): Promise<ExperimentGrid> {
  const result = await loadExperimentFile(file);
  if (result.kind === 'valid') return result.grid;
  const { problems } = result;
  const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`;
  const message = `${file} has ${count}:\n${problemLines(file, problems).join('\n')}`;
  throw new AppError('INVALID_PIPELINE', message, { details: { problems } });
}

type OnCell = Parameters<typeof runCells>[2];

async function withProgress<T>(totalUnits: number, work: (onCell: OnCell) => Promise<T>): Promise<T> {
  const display = progressDisplay('experiment');
  let found = 0;
  const meterFor = (units: number) =>
    new ProgressMeter(
      { nowMs: () => performance.now() },
      { totalUnits: units, expectedUnitMs: 1000, listener: (progress) => display.show(progress) },
    );
  let meter: ProgressMeter | undefined;
  try {
    return await work(({ pipeline, load, policy, seed }, how) => {
      // Only what is simulated says how long the rest will take.
      if (how === 'found') found += 1;
      else {
        meter ??= meterFor(totalUnits - found);
        const before = found === 0 ? '' : ` (${found} more were finished before)`;
        meter.finish(1, `${pipeline}, ${load}, ${policy}, seed ${seed}${before}`);
      }
    });
  } finally {
    display.stop();
  }
}

/** Writes CSV, JSON and the report; gives their paths. */
async function writeResults(
  folder: string,
  { name, seeds, forecaster, excludeFirstS }: ExperimentGrid,
  cells: readonly CellResult[],
): Promise<readonly string[]> {
  const { experimentReport } = await import('../report/experiment-report.js');
  const conditions = `${cells.length} simulations, ${seeds.length} seeds, forecaster ${forecaster}, the first ${excludeFirstS} s not counted`;
  const contents: Readonly<Record<string, string>> = {
    'results.csv': experimentCsv(cells),
    'results.json': `${JSON.stringify({ cells }, null, 1)}\n`,
    'report.html': await experimentReport({ name, conditions, cells }),
  };
  return Object.entries(contents).map(([file, text]) => {
    const path = join(folder, file);
    writeFileSync(path, text);
    return path;
  });
}

function experimentText(cells: readonly CellResult[], files: readonly string[]): string {
  const tables = groupTables(cellGroups(cells)).map(({ title, head, rows }) => {
    const [first = '', ...figures] = head;
    return `${pc.bold(title)}\n${textTable([first, ...figures.map((right) => ({ right }))], rows)}`;
  });
  return [...tables, pc.dim(`means ± half of their 95 % interval over the seeds; ${files.join(', ')}`)].join('\n\n');
}
