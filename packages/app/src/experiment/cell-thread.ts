/** Thread that simulates cells of built-in policies. Cells of a pipeline share verification verdicts. */
import { parentPort, workerData } from 'node:worker_threads';
import type { ControlContext } from '@equipoise/core/control';
import type { PolicyName } from '@equipoise/core/plan';
import { verdictsFor } from '../compose/plan-verification.js';
import type { CellPipeline, ExperimentCell } from './experiment-cell.js';
import type { ReadGrid } from './read-grid.js';
import { simulateCell } from './simulate-cell.js';

const pipelines = workerData as ReadGrid['pipelines'];
const verdicts = new Map<string, ControlContext['verifierAt']>();

parentPort?.on('message', (cell: ExperimentCell) => {
  const pipeline = pipelines[cell.pipeline] as CellPipeline;
  const verifierAt = verdicts.get(cell.pipeline) ?? verdictsFor(pipeline.spec, pipeline.profiles);
  verdicts.set(cell.pipeline, verifierAt);
  parentPort?.postMessage(simulateCell(cell, { pipeline, verifierAt, by: { policy: cell.policy as PolicyName } }));
});
