/**
 * Wrong verdicts of a verification against M/M/1, whose sojourn time is exponential with rate μ − λ, and of overloads,
 * which miss every SLO. Runs are shorter and loads higher than usual for plans.
 */
import type { Burstiness } from '../../packages/core/src/model/expected-load.js';
import { chainSpec, planOf } from '../../packages/core/src/model/spec-builders.test-support.js';
import { type ServiceCurves, serviceCurve } from '../../packages/core/src/profile/service-curves.js';
import { verifyPlan } from '../../packages/core/src/simulate/verify-plan.js';

const SERVICE_MS = 10;

const curve = serviceCurve(1, 1, [{ batchSize: 1, law: { kind: 'exponential', meanMs: SERVICE_MS } }]);
const curves: ServiceCurves = { kind: 'curves', curve: () => curve, warnings: [] };
const chain = chainSpec({ a: [{ cpuCores: 1, batchSize: 1, meanMs: SERVICE_MS }] });

/** One queue; the SLO is `room` times its true percentile, or `sloMs`. */
export interface VerdictCase {
  readonly load: number;
  readonly requests: number;
  readonly percentile: number;
  readonly room: number;
  readonly sloMs?: number;
  readonly burstiness?: Burstiness;
}

/** Verdicts of the seeds 1, 2, 3 …; `passes` are conclusive and say that the SLO is met. */
export interface VerdictCounts {
  readonly seeds: number;
  readonly inconclusive: number;
  readonly passes: number;
}

const atTruth = (load: number, requests: number, percentile = 99): VerdictCase => ({
  ...{ load, requests, percentile, room: 1 },
});

/**
 * Cases whose SLO equals the truth. An inconclusive verdict means that the interval contains the truth. A pass is
 * wrong.
 */
export const containing: readonly VerdictCase[] = [
  atTruth(0.5, 33_000),
  atTruth(0.5, 100_000),
  atTruth(0.8, 33_000, 95),
  atTruth(0.8, 33_000),
  atTruth(0.8, 100_000),
  atTruth(0.9, 100_000),
  atTruth(0.97, 100_000),
];

/** So near capacity, even intervals far from the SLO prove nothing. */
export const nearCapacity: readonly VerdictCase[] = [
  atTruth(0.98, 200_000),
  atTruth(0.99, 170_000),
  atTruth(0.995, 200_000),
];

/** Arrivals whose counts vary eight times as much as those of a Poisson process. */
const BURSTS: Burstiness = { sloMs: 1000, dispersionAtSlo: 4, dispersionAt10s: 8 };
const FAR_MS = 120_000;

/** No plan. The queue is still short at the end of the run, and the SLO is 12,000 service times. */
export const overloads: readonly VerdictCase[] = [1, 1.005, 1.01, 1.03].flatMap((load) =>
  [1000, 10_000, 33_000, 100_000, 400_000].flatMap((requests) =>
    [undefined, BURSTS].map((burstiness) => ({
      ...{ load, requests, percentile: 99, room: Number.NaN, sloMs: FAR_MS },
      ...(burstiness && { burstiness }),
    })),
  ),
);

/** Most seeds of these cases must pass. */
export const farBelow: readonly VerdictCase[] = [
  { load: 0.9, requests: 25_000, percentile: 99, room: 30 },
  { load: 0.95, requests: 100_000, percentile: 99, room: 10 },
  { load: 0.9, requests: 170_000, percentile: 99, room: 5 },
  { load: 0.97, requests: 400_000, percentile: 99, room: 5 },
];

export function countVerdicts(
  { load, requests, percentile, room, sloMs, burstiness }: VerdictCase,
  seeds: number,
): VerdictCounts {
  const latencyMs = sloMs ?? (-room * Math.log(1 - percentile / 100) * SERVICE_MS) / (1 - load);
  const spec = { ...chain, slo: { latencyMs, percentile } };
  const plan = planOf(spec, { maxBatchSize: 1, replicas: 1 });
  const verdicts = Array.from({ length: seeds }, (_, i) =>
    verifyPlan(
      {
        ...{ spec, curves, arrivalRps: (1000 * load) / SERVICE_MS, hostCores: 1 },
        ...{ seed: i + 1, workStageRequests: requests },
        ...(burstiness && { burstiness }),
      },
      plan,
    ),
  );
  const conclusive = verdicts.filter((verdict) => verdict.conclusive);
  const passes = conclusive.filter(({ sloAttainmentFraction }) => sloAttainmentFraction > percentile / 100);
  return { seeds, inconclusive: seeds - conclusive.length, passes: passes.length };
}
