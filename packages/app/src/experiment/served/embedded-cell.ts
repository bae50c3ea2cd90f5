/** Serves a cell on this machine: the pipeline of `equipoise serve` on loopback, and the load from another process. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Observation, StageId } from '@equipoise/core/model';
import { startServer } from '@equipoise/runtime';
import { sampleBodies } from '../../compose/sample-bodies.js';
import { type RunningPipeline, startPipeline } from '../../compose/start-pipeline.js';
import { VERSION } from '../../version.js';
import type { CellOutcome, CellPipeline, ExperimentCell } from '../experiment-cell.js';
import { type BegunPolicy, beginPolicy } from './begun-policy.js';
import { quantile } from './cell-figures.js';
import { OwnDecider, type UsageOf } from './own-decider.js';
import { PlanTimeline } from './plan-timeline.js';
import { type ServedCell, serveLoad } from './serve-load.js';

const LOOK_EVERY_MS = 100;

const epochNowMs = (): number => performance.timeOrigin + performance.now();

/** Rejects with INTERRUPTED after a stop, INFEASIBLE without a first plan, and with the errors of a user's policy. */
export async function embeddedCell(
  cell: ExperimentCell,
  pipeline: CellPipeline,
  stop: AbortSignal,
): Promise<CellOutcome> {
  const policy = await beginPolicy(cell, pipeline);
  try {
    return await serveCell({ cell, pipeline, stop }, policy);
  } finally {
    await policy.close();
  }
}

async function serveCell({ cell, pipeline, stop }: ServedCell, policy: BegunPolicy): Promise<CellOutcome> {
  const { spec, profiles } = pipeline;
  const stateFile = `experiment-${cell.digest}.db`;
  let decisions = 0;
  const running = await startPipeline({
    spec,
    profiles,
    stateFile,
    arrivalRps: policy.arrivalRps,
    policy: 'equipoise',
    adaptsBy: policy.adaptsBy,
    beginsWith: policy.plan,
    fixed: false,
    resume: false,
    signal: stop,
    report: (event) => {
      if (event.kind === 'decided') decisions += 1;
    },
  });
  try {
    if (policy.adaptsBy instanceof OwnDecider) policy.adaptsBy.usageOf = usageOf(running);
    const server = await startServer({ runners: [running.runner], version: VERSION, host: '127.0.0.1', port: 0 });
    const timeline = new PlanTimeline(spec);
    const look = () => timeline.note(running.actuator.runningPlan(), epochNowMs());
    look();
    const timer = setInterval(look, LOOK_EVERY_MS);
    const ends: { readonly atEpochMs: number; readonly latencyMs: number }[] = [];
    running.runner.onRequestEnd(({ kind, latencyMs }) => {
      if (kind === 'completed') ends.push({ atEpochMs: epochNowMs(), latencyMs });
    });
    const before = decisions;
    try {
      return await serveLoad({
        ...{ cell, pipeline, stop, policy, timeline },
        url: `${server.url}/v1/pipelines/${spec.name}/run`,
        bodies: sampleBodies(spec),
        decisions: () => decisions - before,
        serverP99Ms: (fromEpochMs) => {
          const counted = ends.filter(({ atEpochMs, latencyMs }) => atEpochMs - latencyMs >= fromEpochMs);
          return quantile(
            counted.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b),
            0.99,
          );
        },
      });
    } finally {
      clearInterval(timer);
      await server.close();
    }
  } finally {
    await running.close();
    removeState(join(spec.baseDir, '.equipoise'), stateFile);
  }
}

/** The state of a cell is of no use to another one. */
function removeState(folder: string, stateFile: string): void {
  for (const name of readdirSync(folder)) if (name.startsWith(stateFile)) rmSync(join(folder, name), { force: true });
}

/** Busy fraction of a stage since the last decision. Items in flight are not counted. */
function usageOf({ runner }: RunningPipeline): UsageOf {
  const before = new Map<StageId, { readonly atMs: number; readonly busyMs: number }>();
  return (id: StageId, { atMs, runningPlan }: Observation) => {
    const busyMs = runner.stageCounts()[id]?.busyMs ?? 0;
    const last = before.get(id) ?? { atMs: 0, busyMs };
    before.set(id, { atMs, busyMs });
    const replicas = runningPlan.stages[id]?.replicas ?? [];
    const shares = replicas.filter(({ status }) => status === 'ready').map(({ resources }) => resources.cpuCores);
    const timeMs = shares.reduce((sum, cores) => sum + Math.min(1, cores), 0) * (atMs - last.atMs);
    return { busyFraction: timeMs > 0 ? Math.min(1, (busyMs - last.busyMs) / timeMs) : 0, inFlightItems: Number.NaN };
  };
}
