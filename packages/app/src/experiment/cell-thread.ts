/** Thread that simulates cells. Cells of a pipeline share verification verdicts. */
import { parentPort, workerData } from 'node:worker_threads';
import { type ControlContext, type ObservingPolicy, ownPolicy } from '@equipoise/core/control';
import { forecasters } from '@equipoise/core/forecast';
import type { PolicyName } from '@equipoise/core/plan';
import { verdictsFor } from '../compose/plan-verification.js';
import { simulatedRun } from '../compose/simulated-run.js';
import { type CellOutcome, type CellPipeline, cellName, type ExperimentCell } from './experiment-cell.js';
import { type FailedCell, failedCell } from './failed-cell.js';
import { loadOwnPolicy } from './load-own-policy.js';
import { type RawRequest, writeRaw } from './raw-requests.js';
import type { ReadGrid } from './read-grid.js';

const pipelines = workerData as ReadGrid['pipelines'];
const verdicts = new Map<string, ControlContext['verifierAt']>();

function simulated(cell: ExperimentCell, own: ObservingPolicy | undefined): CellOutcome {
  const startedAtMs = performance.now();
  const { pipeline, policy, seed, loadSpec, forecaster, excludeFirstS, rawFile } = cell;
  const { spec, profiles } = pipelines[pipeline] as CellPipeline;
  const verifierAt = verdicts.get(pipeline) ?? verdictsFor(spec, profiles);
  verdicts.set(pipeline, verifierAt);
  const raw: RawRequest[] = [];
  const { figures } = simulatedRun({
    spec,
    profiles,
    seed,
    excludeFirstS,
    verifierAt,
    load: loadSpec,
    by: own === undefined ? { policy: policy as PolicyName } : { own },
    forecaster: forecasters[forecaster],
    ...(rawFile !== undefined && {
      onEnd: ({ arrivedAtMs, endedAtMs, outcome, pas }) =>
        raw.push({
          scheduledAtMs: arrivedAtMs,
          startedAtMs: arrivedAtMs,
          latencyMs: endedAtMs - arrivedAtMs,
          outcome,
          accuracy: pas,
        }),
    }),
  });
  if (rawFile !== undefined) writeRaw(rawFile, raw);
  const elapsedMs = performance.now() - startedAtMs;
  return { kind: 'measured', result: { ...cellName(cell), ...figures, elapsedMs } };
}

/** Outcome of a cell. A policy without a plan is an outcome; any other error ends the experiment. */
async function answerTo(cell: ExperimentCell): Promise<CellOutcome | FailedCell> {
  try {
    const { policyFile } = cell;
    return simulated(cell, policyFile === undefined ? undefined : ownPolicy(await loadOwnPolicy(policyFile)));
  } catch (error) {
    const failed = failedCell(error);
    if (failed.code !== 'INFEASIBLE') return failed;
    return { kind: 'infeasible', cell: { ...cellName(cell), message: failed.message } };
  }
}

parentPort?.on('message', async (cell: ExperimentCell) => parentPort?.postMessage(await answerTo(cell)));
