/** A fivefold step on a served pipeline: how soon it is answered, and what is lost until replicas are there. */
import { type Decision, SeededRng } from '@equipoise/core/model';
import type { LoopEvent } from '@equipoise/runtime';
import { startPipeline } from '../../../packages/app/src/compose/start-pipeline.js';
import { fluidMinimum } from '../fluid-minimum.js';
import { largestRate, planAt, specFor } from '../pipelines.js';
import { servedPipeline } from './pipeline.js';
import { type ServedRequest, sendLoad } from './served-load.js';

/** Figures of one step. */
export interface BurstFigures {
  /** From the step to the decision that protects; Infinity where there was none. */
  readonly decidedAfterMs: number;
  /** From the step to the last new replica of the protections. */
  readonly readyAfterMs: number;
  readonly arrived: number;
  readonly lost: number;
  /** Of the lost ones, those that were not refused within the SLO. */
  readonly lostLate: number;
  readonly failed: number;
  readonly foreignContent: number;
  /** The least attained fraction of any second from 2 s behind the last new replica on. */
  readonly worstSecondFraction: number;
  /** What has to be lost at least without queues, and requests that arrive within the SLO. */
  readonly fluidMinimum: number;
  readonly withinSlo: number;
}

/** Rates before and behind the step, and how long it lasts. */
export const BURST = { fromRps: 20, toRps: 100, lastsS: 15 } as const;
const SETTLING_MS = 2000;
/** By then the slow loop has planned once; the step comes up to one of its intervals later. */
const CALM_S = 12;

interface Noted {
  readonly atMs: number;
  readonly event: LoopEvent;
}

/** The pipeline; its peak takes four fifths of the budget. */
export const burstSpec = () => specFor(servedPipeline(), 'min-cost', BURST.toRps);

/** One step, at an instant of the loop's intervals that the seed draws. */
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

/** The least attained fraction of the whole seconds from `fromMs` on; 0 where there is none. */
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

/** By the fluid minimum, from the rates of whole seconds. */
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
