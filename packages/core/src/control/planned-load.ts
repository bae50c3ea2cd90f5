/**
 * Load to plan for at a tick (docs/explain/verification.md, The load), with its bucket, and the planned rates of the
 * last minute.
 *
 * With a long SLO, requests can wait until a burst is over, so the load is the envelope of the forecast. If more items
 * wait at a stage than arrive within the SLO (Little 1961), all waiting items are the backlog, counted in requests.
 *
 * Each figure is rounded up to a step or the end of its bucket, so a cached verdict is never too optimistic.
 */
import { stageLoads } from '../estimate/stage-load.js';
import { arrivalEnvelope } from '../forecast/arrival-envelope.js';
import type { Forecast, Observation } from '../model/decision.js';
import {
  type ArrivalEnvelope,
  type Backlog,
  type Burstiness,
  type ExpectedLoad,
  isPoisson,
} from '../model/expected-load.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { PlanResult } from '../model/plan.js';
import { specOfPlan } from '../model/resolved-spec.js';
import { runningStages } from '../model/running-plan.js';

/** Minimum SLO that is verified with the envelope. */
const ENVELOPE_SLO_MS = 2_000;
const RATE_STEP = 1.05;
/** Steps per rate bucket, of 1.2 % each. */
const STEPS = 4;
/** Wide buckets have this many times the steps, and so end at a factor of 1.22. */
const WIDE = 4;
const DISPERSION_STEP = Math.SQRT2;
const BACKLOG_STEP = 1.25;
const BUCKET_ROUNDING = 1e-9;
const RATE_ROUNDING = 1e-8;
const PLAN_ROUNDING = 1e-9;
const REMEMBERED_MS = 60_000;
/** Arrivals are counted per whole second, so a change is seen up to this much later (ms). */
const LATE_MS = 1000;

/** A planned rate. `forBurst`: planned by the fast loop. */
export interface PlannedRate {
  readonly atMs: number;
  readonly arrivalRps: number;
  readonly forBurst?: true;
}

/** Bucket of the expected load, in steps of the rate. `covering`: step of that load. */
export interface LoadBucket {
  /** Loads by ascending rate, from the end of the next lower bucket to the end of this one. */
  readonly steps: readonly ExpectedLoad[];
  readonly covering: number;
}

export interface PlannedFor {
  readonly load: ExpectedLoad;
  readonly result: PlanResult;
}

export interface LoadInput {
  readonly observation: Observation;
  readonly forecast: Forecast;
  /** The next plan can be in force this long after the tick. */
  readonly aheadMs: number;
  /** True for buckets of 22 %: fewer loads are simulated. */
  readonly isWide?: boolean | undefined;
}

export function plannedLoad(spec: PipelineSpec, input: LoadInput): LoadBucket {
  const { observation, aheadMs } = input;
  const { steps, covering } = arrivingLoad(spec, input);
  const requests = waitingRequests(spec, observation, steps.at(-1)?.arrivalRps ?? 0);
  if (requests <= 0) return { steps, covering };
  const backlog: Backlog = { requests: backlogBucketEnd(requests), graceMs: aheadMs };
  return { steps: steps.map((step) => ({ ...step, backlog })), covering };
}

function arrivingLoad(
  { slo }: PipelineSpec,
  { observation: { load }, forecast, aheadMs, isWide = false }: LoadInput,
): LoadBucket {
  if (slo.latencyMs < ENVELOPE_SLO_MS) {
    const { upperRps } = forecast;
    const { burstiness } = load;
    const bursty = burstiness === undefined || isPoisson(burstiness) ? {} : { burstiness: burstinessClass(burstiness) };
    return loadBucket(
      rateSteps(upperRps, isWide).map((arrivalRps) => ({ arrivalRps, ...bursty })),
      upperRps,
    );
  }
  const envelope = arrivalEnvelope(load, forecast, aheadMs);
  return loadBucket(envelopeSteps(envelope, isWide).map(filling), filling(envelope).arrivalRps);
}

function filling(envelope: ArrivalEnvelope): ExpectedLoad {
  const longest = envelope.at(-1);
  return { arrivalRps: longest === undefined ? 0 : longest.arrivals / longest.windowS, envelope };
}

function loadBucket(steps: readonly ExpectedLoad[], arrivalRps: number): LoadBucket {
  const covering = steps.findIndex((step) => step.arrivalRps >= arrivalRps * (1 - RATE_ROUNDING));
  return { steps, covering: covering < 0 ? steps.length - 1 : covering };
}

function waitingRequests(spec: PipelineSpec, { stages, runningPlan }: Observation, arrivalRps: number): number {
  if (Object.values(stages).every(({ queueLength }) => queueLength === 0)) return 0;
  const sloS = spec.slo.latencyMs / 1000;
  const loads = stageLoads(specOfPlan(spec, runningStages(spec, runningPlan) ?? {}), arrivalRps);
  const queues = [...loads].map(([id, load]) => {
    const items = stages[id]?.queueLength ?? 0;
    return { requests: items / (load.visits || 1), excessive: items > load.arrivalRps * sloS };
  });
  if (!queues.some(({ excessive }) => excessive)) return 0;
  return queues.reduce((sum, { requests }) => sum + requests, 0);
}

/**
 * Plans for the upper end of a bucket. If the plan for its lower end is better, bisects the steps. `plan` is called
 * repeatedly, so it should cache.
 */
export function planInBucket({ steps, covering }: LoadBucket, plan: (load: ExpectedLoad) => PlanResult): PlannedFor {
  const at = (step: number): PlannedFor => {
    const load = steps[step] as ExpectedLoad;
    return { load, result: plan(load) };
  };
  let [low, high] = [0, steps.length - 1];
  const forEnd = at(high);
  let [below, found] = [at(low), forEnd];
  while (high - low > 1 && !isAsGood(found.result, below.result)) {
    const middle = Math.floor((low + high) / 2);
    if (covering > middle) [low, below] = [middle, at(middle)];
    else [high, found] = [middle, at(middle)];
  }
  return isAsGood(forEnd.result, found.result) ? forEnd : found;
}

/** True if `a` is at least as accurate as `b` at no more cost, or if `b` is infeasible. */
function isAsGood(a: PlanResult, b: PlanResult): boolean {
  if (b.kind !== 'feasible') return true;
  if (a.kind !== 'feasible') return false;
  const [of, than] = [a.plan.predicted, b.plan.predicted];
  return of.pas >= than.pas - PLAN_ROUNDING && of.costPerHour <= than.costPerHour * (1 + PLAN_ROUNDING);
}

/** End of the bucket of `value`. Ends are powers of `step`; 0 stays 0. */
function bucketEnd(value: number, step: number): number {
  return value <= 0 ? 0 : step ** bucketOf(value, step);
}

/** Number of a bucket, which excludes its start and includes its end. */
function bucketOf(value: number, step: number): number {
  return Math.ceil(Math.log(value) / Math.log(step) - BUCKET_ROUNDING);
}

/** Steps from the end of the next lower bucket to this bucket's end, both included. */
function bucketSteps(value: number, isWide: boolean): readonly number[] {
  const width = isWide ? WIDE : 1;
  const start = width * (bucketOf(value, RATE_STEP ** width) - 1);
  return Array.from({ length: width * STEPS + 1 }, (_, i) => (value <= 0 ? 0 : RATE_STEP ** (start + i / STEPS)));
}

export const rateBucketEnd = (arrivalRps: number): number => bucketEnd(arrivalRps, RATE_STEP);

/** Rates (rps) of the steps in the bucket of `arrivalRps`. */
export const rateSteps = (arrivalRps: number, isWide = false): readonly number[] => bucketSteps(arrivalRps, isWide);

export function burstinessClass(burstiness: Burstiness): Burstiness {
  const { dispersionAtSlo, dispersionAt10s } = burstiness;
  return {
    ...burstiness,
    dispersionAtSlo: bucketEnd(dispersionAtSlo, DISPERSION_STEP),
    dispersionAt10s: bucketEnd(dispersionAt10s, DISPERSION_STEP),
  };
}

/** Envelope whose counts are rounded up to ends of rate buckets, in whole requests. */
export function envelopeBucketEnd(envelope: ArrivalEnvelope): ArrivalEnvelope {
  return envelope.map(({ windowS, arrivals }) => ({ windowS, arrivals: Math.ceil(bucketEnd(arrivals, RATE_STEP)) }));
}

/** One envelope per step of the rate bucket. The rate is that of the longest window. */
export function envelopeSteps(envelope: ArrivalEnvelope, isWide = false): readonly ArrivalEnvelope[] {
  const bursts = envelopeBucketEnd(envelope.slice(0, -1));
  return envelope
    .slice(-1)
    .flatMap(({ windowS, arrivals }) =>
      bucketSteps(arrivals, isWide).map((step) => [...bursts, { windowS, arrivals: Math.ceil(step) }]),
    );
}

export const backlogBucketEnd = (requests: number): number => Math.ceil(bucketEnd(requests, BACKLOG_STEP));

/** Rates of the last minute, without those in the future. */
export function recentRates(rates: readonly PlannedRate[] | undefined, nowMs: number): readonly PlannedRate[] {
  return (rates ?? []).filter(({ atMs }) => atMs > nowMs - REMEMBERED_MS && atMs <= nowMs);
}

export function withPlannedRate(
  before: readonly PlannedRate[] | undefined,
  planned: PlannedRate,
): readonly PlannedRate[] {
  return [...recentRates(before, planned.atMs), planned];
}

/**
 * Mean arrivals that plans expected in the last `windowS` seconds; at least those of the present plan. So arrivals from
 * before a fall of the load are no burst.
 */
export function plannedArrivals(
  rates: readonly PlannedRate[],
  { windowS, nowMs, arrivalRps }: { readonly windowS: number; readonly nowMs: number; readonly arrivalRps: number },
): number {
  const beganMs = nowMs - windowS * 1000;
  let arrivals = windowS * arrivalRps;
  for (const [index, rate] of rates.entries()) {
    const fromMs = index === 0 ? beganMs : Math.max(beganMs, rate.atMs + LATE_MS);
    const untilMs = Math.min(nowMs, (rates[index + 1]?.atMs ?? Number.POSITIVE_INFINITY) + LATE_MS);
    arrivals += (Math.max(0, rate.arrivalRps - arrivalRps) * Math.max(0, untilMs - fromMs)) / 1000;
  }
  return arrivals;
}
