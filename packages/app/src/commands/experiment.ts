/** `equipoise experiment`: runs a grid of policies, pipelines, loads and seeds in the simulator, on this machine or on a cluster. */
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import pc from 'picocolors';
import { withCellProgress } from '../cells/cell-progress.js';
import { codeDigest, operatorFiles } from '../cells/code-digest.js';
import { figuresCsv } from '../cells/figures-csv.js';
import { ownThread } from '../cells/own-thread.js';
import { runCells } from '../cells/run-cells.js';
import { writeFiles } from '../cells/write-whole.js';
import { type ClusterOptions, withCluster } from '../compose/cluster.js';
import { cellGroups } from '../experiment/cell-groups.js';
import {
  type CellOutcome,
  type CellPipeline,
  cellName,
  cellText,
  type ExperimentCell,
  simulationOrder,
} from '../experiment/experiment-cell.js';
import { type ExperimentResults, repeatableResults, resultsOf } from '../experiment/experiment-results.js';
import { groupTables } from '../experiment/experiment-tables.js';
import { KeptCells } from '../experiment/kept-cells.js';
import { type CellsRun, simulateOwnCells } from '../experiment/own-cells.js';
import type { Platform } from '../experiment/platform.js';
import { PLATFORM_LEGEND, platformTables } from '../experiment/platform-tables.js';
import { type ReadGrid, readGrid } from '../experiment/read-grid.js';
import { serveCells } from '../experiment/serve-cells.js';
import { embeddedCell } from '../experiment/served/embedded-cell.js';
import { ExperimentCluster } from '../experiment/served/experiment-cluster.js';
import { experimentPage } from '../report/experiment-page.js';
import { htmlPage } from '../report/page/html-page.js';
import type { CommandResult } from '../terminal/run-command.js';
import { stopSignal } from '../terminal/stop-signal.js';
import { textTable } from '../terminal/text-table.js';

export interface ExperimentOptions extends ClusterOptions {
  readonly out?: string;
  readonly threads?: number;
  readonly on?: readonly Platform[];
  /** Files of users' policies. */
  readonly policy?: readonly string[];
  /** Folder for a line of each request. */
  readonly raw?: string;
  /** Image of the pods on a cluster. */
  readonly image?: string;
  readonly routerUrl?: string;
}

export async function experiment(file: string, options: ExperimentOptions): Promise<CommandResult> {
  const { on: platforms = ['simulator'], policy: policyFiles = [], raw } = options;
  const rawFolder = raw === undefined ? undefined : resolve(raw);
  const { kubeconfig, context, namespace, image } = options;
  const operator = platforms.includes('cluster') ? codeDigest(operatorFiles()) : undefined;
  const clusterName = JSON.stringify([kubeconfig, context, namespace, image, operator]);
  const read = await readGrid(file, { codeDigest: codeDigest(), platforms, policyFiles, rawFolder, clusterName });
  const { name, baseDir } = read.grid;
  const folder = resolve(options.out ?? join(baseDir, '.equipoise', 'experiments', name));
  const outcomes = await finished(read, new KeptCells(join(folder, 'cells')), options);
  const [reference = ''] = read.policies;
  const results = resultsOf(outcomes, reference);
  const files = writeResults(folder, read, results);
  return {
    json: results,
    text: experimentText(read, results, [...files, ...(rawFolder === undefined ? [] : [rawFolder])]),
    answerIsNo: results.cells.length === 0,
  };
}

async function finished(
  { cells, pipelines }: ReadGrid,
  kept: KeptCells,
  options: ExperimentOptions,
): Promise<readonly CellOutcome[]> {
  const outcomes = new Map<ExperimentCell, CellOutcome>();
  for (const cell of cells) {
    const found = kept.find(cell);
    if (found !== undefined) outcomes.set(cell, found);
  }
  const waitingOn = (platform: Platform) => cells.filter((cell) => cell.platform === platform && !outcomes.has(cell));
  const stop = new AbortController();
  void stopSignal().then(() => stop.abort());
  const onCell = (cell: ExperimentCell, outcome: CellOutcome) => {
    kept.keep(cell, outcome);
    outcomes.set(cell, outcome);
  };
  const simulated = waitingOn('simulator');
  await withCellProgress({ title: 'experiment', waiting: simulated.length, found: outcomes.size }, (tell) =>
    simulateCells(simulated, pipelines, {
      threads: options.threads ?? availableParallelism(),
      stop: stop.signal,
      onCell: (cell, outcome) => {
        onCell(cell, outcome);
        tell(cellText(cell));
      },
    }),
  );
  const { signal } = stop;
  await serveCells(waitingOn('embedded'), {
    stop: signal,
    onCell,
    serve: (cell) => embeddedCell(cell, pipelines[cell.pipeline] as CellPipeline, signal),
  });
  const onCluster = waitingOn('cluster');
  if (onCluster.length > 0)
    await withCluster(options, async (cluster) => {
      const place = new ExperimentCluster(cluster, options);
      const serve = (cell: ExperimentCell) => place.serve(cell, pipelines[cell.pipeline] as CellPipeline, signal);
      await serveCells(onCluster, { stop: signal, onCell, serve });
    });
  return cells.map((cell) => outcomes.get(cell) as CellOutcome);
}

async function simulateCells(
  cells: readonly ExperimentCell[],
  pipelines: ReadGrid['pipelines'],
  run: CellsRun,
): Promise<void> {
  const builtIn = cells.filter(({ policyFile }) => policyFile === undefined);
  await runCells<ExperimentCell, CellOutcome>(simulationOrder(builtIn), {
    ...run,
    newThread: () => ownThread('cell', pipelines),
    nameOf: (cell) => ({ text: cellText(cell), details: cellName(cell) }),
  });
  const own = cells.filter(({ policyFile }) => policyFile !== undefined);
  await simulateOwnCells(own, pipelines, run);
}

function writeResults(folder: string, read: ReadGrid, results: ExperimentResults): readonly string[] {
  const repeatable = repeatableResults(results);
  return writeFiles(folder, {
    'results.csv': figuresCsv(repeatable.cells),
    'results.json': `${JSON.stringify(repeatable, null, 1)}\n`,
    'report.html': htmlPage(experimentPage(read, results)),
  });
}

function experimentText(
  { policies, platforms }: ReadGrid,
  { cells, infeasible = [] }: ExperimentResults,
  files: readonly string[],
): string {
  const [reference = ''] = policies;
  const compared = platforms.length > 1 ? platformTables(cells, platforms[0] ?? 'simulator') : [];
  const tables = [...groupTables(cellGroups(cells, reference), reference), ...compared].map(({ title, head, rows }) => {
    const [first = '', ...figures] = head;
    // Intervals are in the line below the means, because terminals are narrow.
    const stacked = rows.map((row) => row.map((cell) => cell.replace(' (', '\n(')));
    return `${pc.bold(title)}\n${textTable([first, ...figures.map((right) => ({ right }))], stacked)}`;
  });
  const without = infeasible.map((cell) => pc.yellow(`${cellText(cell)}: ${cell.message}`));
  const legend = pc.dim(
    [
      'means with 95 % intervals over the seeds; ± half the interval of a difference, * if it excludes 0',
      ...(compared.length > 0 ? [PLATFORM_LEGEND] : []),
    ].join('\n'),
  );
  return [...tables, ...(without.length > 0 ? [without.join('\n')] : []), `${legend}\n${files.join('\n')}`].join(
    '\n\n',
  );
}
