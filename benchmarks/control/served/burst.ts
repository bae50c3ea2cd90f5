/**
 * A fivefold step on a served pipeline: the time until the loop answers it, and the requests lost until new replicas
 * run.
 */
import { type Decision, SeededRng } from '@equipoise/core/model';
import type { LoopEvent } from '@equipoise/runtime';
import { startPipeline } from '../../../packages/app/src/compose/start-pipeline.js';
import { fluidMinimum } from '../fluid-minimum.js';
import { largestRate, planAt, specFor } from '../pipelines.js';
import { servedPipeline } from './pipeline.js';
import { type ServedRequest, sendLoad } from './served-load.js';

/** Figures of one step. */
export interface BurstFigures {
  /** Time from the step to the protecting decision; Infinity without one. */
  readonly decidedAfterMs: number;
  /** Time from the step until the last new replica of the protections is ready. */
  readonly readyAfterMs: number;
  readonly arrived: number;
  readonly lost: number;
  /** Lost requests that were not refused within the SLO. */
  readonly lostLate: number;
  readonly failed: number;
  readonly foreignContent: number;
  /** Minimum attainment of a second, from 2 s after the last new replica on. */
  readonly worstSecondFraction: number;
  /** Minimum loss without queues, and number of requests that arrive within one SLO latency. */
  readonly fluidMinimum: number;
  readonly withinSlo: number;
}

/** Rates before and after the step, and its duration. */
export const BURST = { fromRps: 20, toRps: 100, lastsS: 15 } as const;
const SETTLING_MS = 2000;
/** By then the slow loop has planned once. The step comes up to one interval of the loop later. */
const CALM_S = 12;

interface Noted {
  readonly atMs: number;
  readonly event: LoopEvent;
}

/** The pipeline. Its peak needs four fifths of the budget. */
export const burstSpec = () => specFor(servedPipeline(), 'min-cost', BURST.toRps);

/** Serves one step. The seed draws the step's instant within an interval of the loop. */
export async function serveBurst(seed: number): Promise<BurstFigures> {
  const spec = burstSpec();
  const rng = new SeededRng(seed);
  const noted: Noted[] = [];
  const pipeline = await startPipeline({
    ...{ spec, profiles: [], arrivalRps: BURST.fromRps, policy: 'equipoise', fixed: false, resume: false },
    report: (event) => noted.push({ atMs: performance.now(), event }),
  });
  try {
    const { intervalMs } = spec.control;
    const atS = CALM_S + (rng.fork('step').next() * intervalMs) / 1000;
    const startedAtMs = performance.now();
    const { fromRps, toRps, lastsS } = BURST;
    const load = { kind: 'step', fromRps, toRps, atS, durationS: atS + lastsS } as const;
    const requests = await sendLoad(pipeline.runner, { load, rng: rng.fork('arrivals') }).ended;
    return burstFigures(requests, noted, { startedAtMs, stepAtMs: 1000 * atS });
  } finally {
    await pipeline.close();
  }
}

const protects = (decision: Decision | undefined): boolean => decision?.evidence.burst !== undefined;

function burstFigures(
  requests: readonly ServedRequest[],
  noted: readonly Noted[],
  { startedAtMs, stepAtMs }: { readonly startedAtMs: number; readonly stepAtMs: number },
): BurstFigures {
  const after = noted.map(({ atMs, event }) => ({ atMs: atMs - startedAtMs - stepAtMs, event }));
  const decided = after.filter(({ atMs, event }) => atMs >= 0 && event.kind === 'decided');
  const protections = decided.filter(({ event }) => event.kind === 'decided' && protects(event.record.decision));
  const inForce = after.filter(({ event }) => event.kind === 'in-force');
  const readyAfterMs = Math.max(
    ...protections.map(({ atMs }) => inForce.find((each) => each.atMs > atMs)?.atMs ?? Number.POSITIVE_INFINITY),
  );
  const { latencyMs } = burstSpec().slo;
  const isLost = ({ kind, arrivedAtMs, endedAtMs }: ServedRequest) =>
    kind !== 'completed' || endedAtMs - arrivedAtMs > latencyMs;
  const burst = requests.filter(({ arrivedAtMs }) => arrivedAtMs >= stepAtMs);
  const lost = burst.filter(isLost);
  const settledAtMs = stepAtMs + readyAfterMs + SETTLING_MS;
  return {
    decidedAfterMs: protections[0]?.atMs ?? Number.POSITIVE_INFINITY,
    readyAfterMs,
    arrived: burst.length,
    lost: lost.length,
    lostLate: lost.filter(({ arrivedAtMs, endedAtMs }) => endedAtMs - arrivedAtMs > latencyMs).length,
    failed: requests.filter(({ kind }) => kind === 'failed').length,
    foreignContent: requests.filter(({ kind, ownContent }) => kind === 'completed' && !ownContent).length,
    worstSecondFraction: worstSecond(burst, settledAtMs, isLost),
    ...leastLost(),
  };
}

/** Minimum attainment of the whole seconds from `fromMs` on; 0 without such seconds. */
function worstSecond(
  requests: readonly ServedRequest[],
  fromMs: number,
  isLost: (request: ServedRequest) => boolean,
): number {
  const seconds = new Map<number, { all: number; ok: number }>();
  const lastMs = Math.max(0, ...requests.map(({ arrivedAtMs }) => arrivedAtMs));
  for (const request of requests) {
    const second = Math.floor((request.arrivedAtMs - fromMs) / 1000);
    if (second < 0 || fromMs + 1000 * (second + 1) > lastMs) continue;
    const { all, ok } = seconds.get(second) ?? { all: 0, ok: 0 };
    seconds.set(second, { all: all + 1, ok: ok + Number(!isLost(request)) });
  }
  return seconds.size === 0 ? 0 : Math.min(...[...seconds.values()].map(({ all, ok }) => ok / all));
}

/** Loss by the fluid minimum, from the rates of whole seconds. */
function leastLost(): Pick<BurstFigures, 'fluidMinimum' | 'withinSlo'> {
  const spec = burstSpec();
  const { fromRps, toRps, lastsS } = BURST;
  const ratesRps = [fromRps, ...new Array<number>(lastsS).fill(toRps)];
  const variants = spec.stages.flatMap((stage) => stage.variants);
  const bounds = {
    capacityFor: (rps: number) => planAt(spec, rps).predicted.capacityRps,
    largestRps: largestRate(spec, Math.max(...variants.flatMap(({ cpuCores }) => cpuCores))),
    loadMs: Math.max(...variants.map(({ loadMs = 0 }) => loadMs)),
  };
  return { fluidMinimum: fluidMinimum(ratesRps, 0, bounds), withinSlo: (toRps * spec.slo.latencyMs) / 1000 };
}
