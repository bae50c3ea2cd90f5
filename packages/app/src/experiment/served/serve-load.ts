/** Sends the load of a served cell and computes its figures. */
import { AppError } from '@equipoise/core/model';
import { loadDurationS } from '@equipoise/core/simulate';
import { type CellOutcome, type CellPipeline, cellName, type ExperimentCell } from '../experiment-cell.js';
import { writeRaw } from '../raw-requests.js';
import type { BegunPolicy } from './begun-policy.js';
import { servedFigures } from './cell-figures.js';
import type { ServedLoad } from './load-child.js';
import type { PlanTimeline } from './plan-timeline.js';
import { sendLoad } from './send-load.js';

export interface ServedCell {
  readonly cell: ExperimentCell;
  readonly pipeline: CellPipeline;
  readonly stop: AbortSignal;
}

export interface LoadedCell extends ServedCell, Pick<ServedLoad, 'url' | 'bodies'> {
  readonly policy: BegunPolicy;
  readonly timeline: PlanTimeline;
  readonly decisions: () => number;
  /** Latency within the server of requests that arrived from this instant on; absent if it is not measured. */
  readonly serverP99Ms?: (fromEpochMs: number) => number;
}

export async function serveLoad(input: LoadedCell): Promise<CellOutcome> {
  const { cell, pipeline, stop, policy, timeline, url, bodies } = input;
  const { loadSpec, seed, excludeFirstS, rawFile } = cell;
  const beganAtMs = performance.now();
  const either = AbortSignal.any([stop, policy.failing]);
  const sent = await sendLoad({ url, bodies, load: loadSpec, seed }, either).catch((error: unknown) => {
    throw policy.failing.aborted ? policy.failing.reason : error;
  });
  const { startedAtEpochMs, firstFailure } = sent;
  const requests = sent.requests.map((request) => {
    const endedAtEpochMs = startedAtEpochMs + request.scheduledAtMs + request.latencyMs;
    return { ...request, accuracy: timeline.at(endedAtEpochMs).accuracy };
  });
  if (requests.length > 0 && requests.every(({ outcome }) => outcome === 'failed'))
    throw new AppError('STAGE_FAILED', `No request was answered. The first failure: ${firstFailure ?? 'no answer'}.`);
  if (rawFile !== undefined) writeRaw(rawFile, requests);
  const durationS = loadDurationS(loadSpec);
  const run = { requests, timeline, startedAtEpochMs, excludeFirstS, durationS, decisions: input.decisions() };
  const figures = servedFigures({ spec: pipeline.spec, ...run });
  const serverP99Ms = input.serverP99Ms?.(startedAtEpochMs + 1000 * excludeFirstS);
  const elapsedMs = performance.now() - beganAtMs;
  return {
    kind: 'measured',
    result: { ...cellName(cell), ...figures, ...(serverP99Ms !== undefined && { serverP99Ms }), elapsedMs },
  };
}
