import type { ControlContext } from '@equipoise/core/control';
import { forecasters } from '@equipoise/core/forecast';
import { type FailedCell, failedCell } from '../cells/failed-cell.js';
import { type RunRequest, simulatedRun } from '../compose/simulated-run.js';
import { type CellOutcome, type CellPipeline, cellName, type ExperimentCell } from './experiment-cell.js';
import { type RawRequest, writeRaw } from './raw-requests.js';

export interface CellSimulation {
  readonly pipeline: CellPipeline;
  readonly by: RunRequest['by'];
  readonly verifierAt: ControlContext['verifierAt'];
}

/** Outcome of a cell. A policy without a plan is an outcome; any other error ends the experiment. */
export function simulateCell(cell: ExperimentCell, simulation: CellSimulation): CellOutcome | FailedCell {
  try {
    return measured(cell, simulation);
  } catch (error) {
    const failed = failedCell(error);
    if (failed.code !== 'INFEASIBLE') return failed;
    return { kind: 'infeasible', cell: { ...cellName(cell), message: failed.message } };
  }
}

function measured(cell: ExperimentCell, { pipeline, by, verifierAt }: CellSimulation): CellOutcome {
  const startedAtMs = performance.now();
  const { seed, loadSpec, forecaster, excludeFirstS, rawFile } = cell;
  const { spec, profiles } = pipeline;
  const raw: RawRequest[] = [];
  const { figures } = simulatedRun({
    spec,
    profiles,
    seed,
    excludeFirstS,
    verifierAt,
    by,
    load: loadSpec,
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
