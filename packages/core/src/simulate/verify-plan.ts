import { type Rng, SeededRng } from '../kernel/rng.js';
import type { ExpectedLoad } from '../model/expected-load.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { Plan, PlanVerification } from '../model/plan.js';
import type { ServiceCurves } from '../profile/curves-of.js';
import { servingGraph } from '../serve/serving-graph.js';
import { burstyLoad } from './arrivals/bursty.js';
import type { ArrivalProcess } from './arrivals/constant-rate.js';

import { envelopeArrivals } from './arrivals/envelope.js';
import { arrivalsOf } from './arrivals/load-spec.js';
import { AttainmentSample, type CountedTime } from './attainment.js';
import { simulatePlan } from './simulate-plan.js';

/** How many items one request is expected to bring to all stages together: what a work budget is divided by. */

/** Items per request over all stages, every branch taken; fan-outs multiply until a join closes them. */
export function itemsPerRequest(spec: PipelineSpec): number {
  const { stages, topologicalOrder } = servingGraph(spec);
  const open = stages.map((): readonly number[] => []);
  for (const from of topologicalOrder) {
    const before = open[from] ?? [];
    for (const { index, to, kind } of stages[from]?.outEdges ?? []) {
      const items = spec.edges[index]?.fanOut?.expected ?? 1;
      open[to] = kind === 'fan-out' ? [...before, items] : kind === 'join' ? before.slice(0, -1) : before;
    }
  }
  return open.reduce((sum, factors) => sum + factors.reduce((product, factor) => product * factor, 1), 0);
}

/**
 * Checks a plan by simulating it under the load that it is made for (mathematics: work budgets): without deadline drops and with unbounded
 * queues, else the tail of what completes would be under the SLO by construction; a fixed amount of work instead of a time limit. The SLO
 * is met when the attained fraction over arrivals reaches the percentile, and the verdict counts as conclusive when its interval clears it.
 *
 * Arrivals are Poisson, of the load's burstiness, or fill its envelope. The first tenth warms the system up and is not counted; where a
 * backlog was observed the simulation starts from it instead, and counts once the plan has had its grace. The number of arrivals is fixed
 * beforehand, so an overloaded plan costs no more work and no more memory than another.
 */

/** What a verification runs on; `workStageRequests` bounds its size (simulated items over all stages). */
export interface VerificationInput extends ExpectedLoad {
  readonly spec: PipelineSpec;
  readonly curves: ServiceCurves;
  readonly hostCores: number;
  readonly seed: number;
  readonly workStageRequests: number;
}

/** Simulated stage-requests of one verification, about 20–50 ms. */
export const DEFAULT_WORK_STAGE_REQUESTS = 100_000;

const FEWEST_REQUESTS = 1000;
const WARM_UP_FRACTION = 0.1;
const SPANS = 20;
/** Of a periodic load whole periods are counted, unless there are fewer than this. */
const FEWEST_PERIODS = 6;

/** A verdict, and whether more of the same may change it (see `AttainmentVerdict`). */
export interface VerificationRun {
  readonly verification: PlanVerification;
  readonly undecided: boolean;
}

/** Simulates `plan` and says whether it meets the SLO of the spec. */
export const verifyPlan = (input: VerificationInput, plan: Plan): PlanVerification =>
  verificationRun(input, plan).verification;

/** The same, for who may run it once more. */
export function verificationRun(input: VerificationInput, plan: Plan): VerificationRun {
  const { spec, arrivalRps, backlog, seed } = input;
  const { percentile, latencyMs } = spec.slo;
  if (arrivalRps <= 0) {
    const verification = { latencyMs: 0, percentile, sloAttainmentFraction: 1, conclusive: true, seeds: [seed] };
    return { verification, undecided: false };
  }
  const rng = new SeededRng(seed);
  const requests = Math.max(FEWEST_REQUESTS, Math.round(input.workStageRequests / itemsPerRequest(spec)));
  const time = countedTime(input, requests);
  const sample = new AttainmentSample(time, latencyMs);
  simulatePlan({
    ...input,
    plan,
    arrivals: arrivalsFor(input, time.fromMs + time.spans * time.spanMs, rng.fork('arrivals')),
    backlogRequests: backlog?.requests ?? 0,
    rng,
    drops: false,
    onEnd: ({ arrivedAtMs, latencyMs: endMs }) => sample.add(arrivedAtMs, endMs ?? Number.POSITIVE_INFINITY),
  });
  const { undecided, ...verdict } = sample.verdict(percentile / 100);
  return { verification: { percentile, ...verdict, seeds: [seed] }, undecided };
}

function arrivalsFor(load: ExpectedLoad, durationMs: number, rng: Rng): ArrivalProcess {
  const { arrivalRps, burstiness, envelope } = load;
  const durationS = durationMs / 1000;
  if (envelope !== undefined) return envelopeArrivals(envelope, durationMs);
  if (burstiness !== undefined) return arrivalsOf(burstyLoad(arrivalRps, burstiness, durationS), rng);
  return arrivalsOf({ kind: 'poisson', arrivalRps, durationS }, rng);
}

/** When `requests` requests are counted, warm-up included. */
function countedTime({ arrivalRps, envelope, backlog }: ExpectedLoad, requests: number): CountedTime {
  const periodMs = 1000 * Math.max(0, ...(envelope ?? []).map(({ windowS }) => windowS));
  const periods = periodMs > 0 ? Math.floor((requests * 1000) / arrivalRps / periodMs) : 0;
  const whole = periods >= FEWEST_PERIODS;
  const unitMs = whole ? periodMs : (requests * 1000) / arrivalRps / SPANS;
  const units = whole ? periods : SPANS;
  const warmUpMs = whole ? unitMs * Math.ceil(units * WARM_UP_FRACTION) : unitMs * units * WARM_UP_FRACTION;
  const fromMs = backlog === undefined ? warmUpMs : graceMs(backlog.graceMs, whole ? unitMs : 1);
  if (!whole) return { fromMs, spanMs: unitMs * (1 - WARM_UP_FRACTION), spans: SPANS };
  const counted = units - Math.ceil(units * WARM_UP_FRACTION);
  const spans = Math.min(SPANS, counted);
  return { fromMs, spanMs: unitMs * Math.floor(counted / spans), spans };
}

/** The grace in whole units, so that spans begin where periods do. */
const graceMs = (ms: number, unitMs: number): number => unitMs * Math.ceil(ms / unitMs);
