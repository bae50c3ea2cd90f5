/** A thread that simulates cells one at a time. Verdicts are remembered by pipeline: cells of different policies and seeds ask the same. */
import { parentPort, workerData } from 'node:worker_threads';
import { AppError, type ControlContext, forecasters } from '@equipoise/core';
import { simulatedRun, verdictsFor } from '../compose/simulated-run.js';
import type { CellPipeline, CellResult, ExperimentCell, ReadGrid } from './experiment-cell.js';

/** What the thread answers. */
export type CellAnswer =
  | { readonly result: CellResult }
  | { readonly error: { readonly code: AppError['code']; readonly message: string } };

const pipelines = workerData as ReadGrid['pipelines'];
const verdicts = new Map<string, ControlContext['verifierAt']>();

function simulated(cell: ExperimentCell): CellResult {
  const startedAtMs = performance.now();
  const { pipeline, load, policy, seed, loadSpec, forecaster, excludeFirstS } = cell;
  const { spec, profiles } = pipelines[pipeline] as CellPipeline;
  const verifierAt = verdicts.get(pipeline) ?? verdictsFor(spec, profiles);
  verdicts.set(pipeline, verifierAt);
  const { figures } = simulatedRun({
    ...{ spec, profiles, seed, excludeFirstS, verifierAt },
    load: loadSpec,
    by: { policy },
    forecaster: forecasters[forecaster],
  });
  return { pipeline, load, policy, seed, ...figures, elapsedMs: performance.now() - startedAtMs };
}

parentPort?.on('message', (cell: ExperimentCell) => {
  let answer: CellAnswer;
  try {
    answer = { result: simulated(cell) };
  } catch (error) {
    const code = error instanceof AppError ? error.code : 'INTERNAL_ERROR';
    const message = error instanceof Error ? error.message : String(error);
    answer = { error: { code, message } };
  }
  parentPort?.postMessage(answer);
});
