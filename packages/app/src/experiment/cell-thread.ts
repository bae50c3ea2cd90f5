/** Thread that simulates cells. Cells of a pipeline share verification verdicts. */
import { parentPort, workerData } from 'node:worker_threads';
import type { ControlContext } from '@equipoise/core/control';
import { forecasters } from '@equipoise/core/forecast';
import { AppError } from '@equipoise/core/model';
import { verdictsFor } from '../compose/plan-verification.js';
import { simulatedRun } from '../compose/simulated-run.js';
import { type CellOutcome, type CellPipeline, cellName, type ExperimentCell } from './experiment-cell.js';
import type { ReadGrid } from './read-grid.js';
import type { FailedCell } from './run-cells.js';

const pipelines = workerData as ReadGrid['pipelines'];
const verdicts = new Map<string, ControlContext['verifierAt']>();

function simulated(cell: ExperimentCell): CellOutcome {
  const startedAtMs = performance.now();
  const { pipeline, policy, seed, loadSpec, forecaster, excludeFirstS } = cell;
  const { spec, profiles } = pipelines[pipeline] as CellPipeline;
  const verifierAt = verdicts.get(pipeline) ?? verdictsFor(spec, profiles);
  verdicts.set(pipeline, verifierAt);
  const { figures } = simulatedRun({
    spec,
    profiles,
    seed,
    excludeFirstS,
    verifierAt,
    load: loadSpec,
    by: { policy },
    forecaster: forecasters[forecaster],
  });
  const elapsedMs = performance.now() - startedAtMs;
  return { kind: 'simulated', result: { ...cellName(cell), ...figures, elapsedMs } };
}

/** Outcome of a cell. A policy without a plan is an outcome; any other error ends the experiment. */
function answerTo(cell: ExperimentCell): CellOutcome | FailedCell {
  try {
    return simulated(cell);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const code = error instanceof AppError ? error.code : 'INTERNAL_ERROR';
    if (code === 'INFEASIBLE') return { kind: 'infeasible', cell: { ...cellName(cell), message } };
    return { kind: 'failed', code, message };
  }
}

parentPort?.on('message', (cell: ExperimentCell) => parentPort?.postMessage(answerTo(cell)));
