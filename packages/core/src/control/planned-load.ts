/**
 * The load that a tick plans for and verifies at, from the forecast and from what was observed (mathematics: work budgets).
 *
 * Below an SLO of 2 s: the forecast's upper rate with the measured burstiness. From 2 s on a request may outwait a burst, so what counts is
 * how much can come in some seconds: the forecast's envelope, and the rate is what its longest window lets through.
 *
 * A backlog is there when a stage holds more items than arrive at it within the SLO: in a system that meets its SLO there are no more
 * in the mean (Little 1961). The waiting items are counted as the requests that they belong to.
 */
import { stageLoads } from '../estimate/stage-load.js';
import { arrivalEnvelope } from '../forecast/arrival-envelope.js';
import type { Forecast, Observation } from '../model/decision.js';
import { type ArrivalEnvelope, type Backlog, type ExpectedLoad, isPoisson } from '../model/expected-load.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import { backlogBucketEnd, burstinessClass, envelopeSteps, rateSteps } from './load-buckets.js';

/** From here on the envelope is verified at. */
const ENVELOPE_SLO_MS = 2_000;

/** Of rates that are powers of a bucket's width. */
const ROUNDING = 1e-8;

/** The bucket that the expected load lies in; its steps differ in the rate alone. */
export interface LoadBucket {
  /** By rate: the end of the bucket below, then steps up to the bucket's own end. */
  readonly steps: readonly ExpectedLoad[];
  /** Index of the first step that is no less than the load. */
  readonly covering: number;
}

/** What is expected until the next plan can be in force, `graceMs` after the tick. */
export function plannedLoad(
  spec: PipelineSpec,
  { observation, forecast, graceMs }: { observation: Observation; forecast: Forecast; graceMs: number },
): LoadBucket {
  const { steps, covering } = arrivingLoad(spec, observation, forecast);
  const requests = waitingRequests(spec, observation, steps.at(-1)?.arrivalRps ?? 0);
  if (requests <= 0) return { steps, covering };
  const backlog: Backlog = { requests: backlogBucketEnd(requests), graceMs };
  return { steps: steps.map((step) => ({ ...step, backlog })), covering };
}

function arrivingLoad({ slo }: PipelineSpec, { load }: Observation, forecast: Forecast): LoadBucket {
  if (slo.latencyMs < ENVELOPE_SLO_MS) {
    const { upperRps } = forecast;
    const { burstiness } = load;
    const bursty = burstiness === undefined || isPoisson(burstiness) ? {} : { burstiness: burstinessClass(burstiness) };
    return bucketOf(
      rateSteps(upperRps).map((arrivalRps) => ({ arrivalRps, ...bursty })),
      upperRps,
    );
  }
  const envelope = arrivalEnvelope(load, forecast);
  return bucketOf(envelopeSteps(envelope).map(filling), filling(envelope).arrivalRps);
}

function filling(envelope: ArrivalEnvelope): ExpectedLoad {
  const longest = envelope.at(-1);
  return { arrivalRps: longest === undefined ? 0 : longest.arrivals / longest.windowS, envelope };
}

function bucketOf(steps: readonly ExpectedLoad[], arrivalRps: number): LoadBucket {
  const covering = steps.findIndex((step) => step.arrivalRps >= arrivalRps * (1 - ROUNDING));
  return { steps, covering: covering < 0 ? steps.length - 1 : covering };
}

/** Requests that wait where there is a backlog, else 0. */
function waitingRequests(spec: PipelineSpec, { stages }: Observation, arrivalRps: number): number {
  const sloS = spec.slo.latencyMs / 1000;
  const loads = stageLoads(spec, arrivalRps);
  const queues = spec.stages.map(({ id }) => {
    const load = loads.get(id);
    const items = stages[id]?.queueLength ?? 0;
    return { requests: items / (load?.visits || 1), excessive: items > (load?.arrivalRps ?? 0) * sloS };
  });
  if (!queues.some(({ excessive }) => excessive)) return 0;
  return queues.reduce((sum, { requests }) => sum + requests, 0);
}
