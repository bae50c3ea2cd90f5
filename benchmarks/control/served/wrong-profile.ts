/** A served pipeline whose batches take a multiple of their profiled time, at a load that some plan can carry. */
import { type PipelineSpec, type Plan, type ProfileSet, SeededRng } from '@equipoise/core/model';
import { scaledPoint } from '@equipoise/core/plan';
import type { LoopEvent } from '@equipoise/runtime';
import { startPipeline } from '../../../packages/app/src/compose/start-pipeline.js';
import { type ControlMode, specFor } from '../pipelines.js';
import { servedPipeline } from './pipeline.js';
import { type ServedRequest, sendLoad } from './served-load.js';

/** Figures of a run with a true service time of `factor` × the profile. */
export interface WrongProfileFigures {
  readonly mode: ControlMode;
  readonly factor: number;
  readonly durationS: number;
  /** Lowest attainment of a 10-s window after the settling time. */
  readonly worstWindowFraction: number;
  /** Switches after the settling time, at the stage with the most switches. */
  readonly mostSwitches: number;
  /** Cores and PAS of the plan in force at the end. */
  readonly cpuCores: number;
  readonly pas: number;
}

const ARRIVAL_RPS = 40;
/**
 * Peak for which the budget is made: 2.5 times the load, so that a plan is feasible even at twice the service times.
 */
const PEAK_RPS = 100;
const SETTLED_S = 90;
const WINDOW_MS = 10_000;

/** Length of a run, and settling time of the loop (default 90 s). */
export interface WrongProfileRun {
  readonly durationS: number;
  readonly settledS?: number;
  readonly seed: number;
}

/** Serves a steady load. */
export async function serveWrongProfile(
  mode: ControlMode,
  factor: number,
  { durationS, settledS = SETTLED_S, seed }: WrongProfileRun,
): Promise<WrongProfileFigures> {
  const spec = specFor(servedPipeline(), mode, PEAK_RPS);
  const noted: { readonly atMs: number; readonly event: LoopEvent }[] = [];
  const pipeline = await startPipeline({
    ...{ spec, profiles: believed(spec, factor), arrivalRps: ARRIVAL_RPS, policy: 'equipoise' },
    ...{ fixed: false, resume: false },
    report: (event) => noted.push({ atMs: performance.now(), event }),
  });
  try {
    const startedAtMs = performance.now();
    const load = { kind: 'poisson', arrivalRps: ARRIVAL_RPS, durationS } as const;
    const requests = await sendLoad(pipeline.runner, { load, rng: new SeededRng(seed) }).ended;
    const plans = noted.flatMap(({ event }): readonly Plan[] => (event.kind === 'in-force' ? [event.plan] : []));
    const { cpuCores, pas } = (plans.at(-1) ?? pipeline.firstPlan).predicted;
    const late = noted.filter(({ atMs }) => atMs - startedAtMs >= 1000 * settledS).map(({ event }) => event);
    const worstWindowFraction = worstWindow(requests, spec.slo.latencyMs, { durationS, settledS });
    return { mode, factor, durationS, worstWindowFraction, mostSwitches: mostSwitches(late), cpuCores, pas };
  } finally {
    await pipeline.close();
  }
}

/** Profile that the loop gets: times too short by the factor. */
function believed({ stages }: PipelineSpec, factor: number): ProfileSet {
  return stages.flatMap((stage) =>
    stage.variants.map(({ id, profile = [], loadMs = 0 }) => ({
      ...{ stageId: stage.id, variantId: id, loadMs },
      points: profile.map((point) => scaledPoint(point, 1 / factor)),
    })),
  );
}

function worstWindow(
  requests: readonly ServedRequest[],
  sloMs: number,
  { durationS, settledS }: { readonly durationS: number; readonly settledS: number },
): number {
  const windows = new Map<number, { all: number; ok: number }>();
  for (const { kind, arrivedAtMs, endedAtMs } of requests) {
    const window = Math.floor(arrivedAtMs / WINDOW_MS);
    if (arrivedAtMs < 1000 * settledS || (window + 1) * WINDOW_MS > 1000 * durationS) continue;
    const { all, ok } = windows.get(window) ?? { all: 0, ok: 0 };
    windows.set(window, { all: all + 1, ok: ok + Number(kind === 'completed' && endedAtMs - arrivedAtMs <= sloMs) });
  }
  return Math.min(1, ...[...windows.values()].map(({ all, ok }) => ok / all));
}

function mostSwitches(events: readonly LoopEvent[]): number {
  const byStage = new Map<string, number>();
  for (const event of events) {
    if (event.kind !== 'decided' || event.record.decision.kind !== 'apply') continue;
    for (const { kind, stageId } of event.record.decision.changes)
      if (kind === 'switch-variant') byStage.set(stageId, (byStage.get(stageId) ?? 0) + 1);
  }
  return Math.max(0, ...byStage.values());
}
