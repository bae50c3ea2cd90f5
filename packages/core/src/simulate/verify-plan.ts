/**
 * Verifies a plan by simulation without drops (docs/explain/verification.md). With a backlog, the run starts with it
 * and counts arrivals after the grace. The SLO is met if the attained fraction of arrivals is conclusively at least the
 * percentile.
 */
import { type Rng, SeededRng } from '../kernel/rng.js';
import type { ExpectedLoad } from '../model/expected-load.js';
import { MOST_USUAL_STAGES, type PipelineSpec } from '../model/pipeline-spec.js';
import type { Plan, SimulatedRun } from '../model/plan.js';
import type { ServiceCurves } from '../profile/service-curves.js';
import { servingGraph } from '../serve/serving-graph.js';
import { burstyLoad } from './arrivals/bursty.js';
import type { ArrivalProcess } from './arrivals/constant-rate.js';
import { envelopeArrivals } from './arrivals/envelope.js';
import { arrivalsOf } from './arrivals/load-spec.js';
import { AttainmentSample, type CountedTime } from './attainment.js';
import { simulatePlan } from './simulate-plan.js';
import type { SimulatedReplica } from './simulated-fleet.js';

/** Items of a request over all stages, if every branch is taken. */
export function itemsPerRequest(spec: PipelineSpec): number {
  const { nodes, stages, topologicalOrder } = servingGraph(spec);
  const open = nodes.map((): readonly number[] => []);
  for (const from of topologicalOrder) {
    const before = open[from] ?? [];
    for (const { index, to, kind } of nodes[from]?.outEdges ?? []) {
      const items = spec.edges[index]?.fanOut?.expected ?? 1;
      open[to] = kind === 'fan-out' ? [...before, items] : kind === 'join' ? before.slice(0, -1) : before;
    }
  }
  return open
    .slice(0, stages.length)
    .reduce((sum, factors) => sum + factors.reduce((product, factor) => product * factor, 1), 0);
}

export interface VerificationInput extends ExpectedLoad {
  readonly spec: PipelineSpec;
  readonly curves: ServiceCurves;
  readonly hostCores: number;
  readonly seed: number;
  readonly workStageRequests: number;
}

/** Work of a verification, which takes about 20–50 ms. */
export const DEFAULT_WORK_STAGE_REQUESTS = 100_000;

const FEWEST_REQUESTS = 1000;
const WARM_UP_FRACTION = 0.1;
const SPANS = 20;
/** With fewer periods of an envelope, spans are parts of them. */
const FEWEST_PERIODS = 6;

export function verifyPlan(input: VerificationInput, plan: Plan): SimulatedRun {
  const { spec, arrivalRps, backlog, seed } = input;
  const { percentile, latencyMs } = spec.slo;
  if (arrivalRps <= 0) return { latencyMs: 0, percentile, sloAttainmentFraction: 1, conclusive: true, seeds: [seed] };
  const rng = new SeededRng(seed);
  // A run with few requests shows nothing.
  const work = input.workStageRequests * Math.max(1, spec.stages.length / MOST_USUAL_STAGES);
  const requests = Math.max(FEWEST_REQUESTS, Math.round(work / itemsPerRequest(spec)));
  const time = countedTime(input, requests);
  const sample = new AttainmentSample(time, latencyMs);
  const use = new PeakUse(spec, plan);
  simulatePlan({
    ...input,
    plan,
    arrivals: arrivalsFor(input, time.fromMs + time.spans * time.spanMs, rng.fork('arrivals')),
    backlogRequests: backlog?.requests ?? 0,
    // Only the sample is read, so the figures of a report are not recorded.
    measureFromMs: Number.POSITIVE_INFINITY,
    rng,
    drops: false,
    onBatch: (replica) => use.note(replica),
    onQueueEmptied: (sinceMs, nowMs) => sample.noteQueue(sinceMs, nowMs),
    onEnd: ({ arrivedAtMs, latencyMs: endMs }) => sample.add(arrivedAtMs, endMs ?? Number.POSITIVE_INFINITY),
  });
  return { percentile, ...sample.verdict(percentile / 100), seeds: [seed], peaks: use.peaks };
}

class PeakUse {
  readonly peaks: readonly { batchSize: number; replicas: number }[];
  readonly #used = new Set<number>();

  /** A stage that waits for fuller batches counts as having reached its maximum batch size. */
  constructor({ stages }: PipelineSpec, plan: Plan) {
    this.peaks = stages.map(({ id }) => {
      const { maxBatchSize, maxBatchWaitMs } = plan.stages[id]?.[0] ?? { maxBatchSize: 1, maxBatchWaitMs: 0 };
      return { batchSize: maxBatchWaitMs > 0 ? maxBatchSize : 0, replicas: 0 };
    });
  }

  note({ stage, index, batch }: SimulatedReplica): void {
    const peak = this.peaks[stage];
    if (peak === undefined) return;
    if (batch.length > peak.batchSize) peak.batchSize = batch.length;
    if (this.#used.has(index)) return;
    this.#used.add(index);
    peak.replicas += 1;
  }
}

function arrivalsFor(load: ExpectedLoad, durationMs: number, rng: Rng): ArrivalProcess {
  const { arrivalRps, burstiness, envelope } = load;
  const durationS = durationMs / 1000;
  if (envelope !== undefined) return envelopeArrivals(envelope, durationMs);
  if (burstiness !== undefined) return arrivalsOf(burstyLoad(arrivalRps, burstiness, durationS), rng);
  return arrivalsOf({ kind: 'poisson', arrivalRps, durationS }, rng);
}

function countedTime({ arrivalRps, envelope, backlog }: ExpectedLoad, requests: number): CountedTime {
  const runMs = (requests * 1000) / arrivalRps;
  const unitMs = runMs / SPANS;
  const graceMs = backlog && Math.ceil(backlog.graceMs);
  if (envelope === undefined) {
    const fromMs = graceMs ?? unitMs * SPANS * WARM_UP_FRACTION;
    return { fromMs, spanMs: unitMs * (1 - WARM_UP_FRACTION), spans: SPANS };
  }
  const periodMs = 1000 * Math.max(...envelope.map(({ windowS }) => windowS));
  const periods = Math.floor(runMs / periodMs);
  // A period begins with its worst bursts. So nothing is left out, and whole periods count, unless not even one fits.
  if (periods < FEWEST_PERIODS)
    return { fromMs: graceMs ?? 0, spanMs: periods === 0 ? unitMs : (periods * periodMs) / SPANS, spans: SPANS };
  const warmUp = Math.ceil(periods * WARM_UP_FRACTION);
  const counted = periods - warmUp;
  const spans = Math.min(SPANS, counted);
  const fromMs = periodMs * (graceMs === undefined ? warmUp : Math.ceil(graceMs / periodMs));
  return { fromMs, spanMs: periodMs * Math.floor(counted / spans), spans };
}
