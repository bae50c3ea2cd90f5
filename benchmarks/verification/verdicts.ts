/**
 * Wrong verdicts of a verification against M/M/1, whose sojourn time is exponential with rate μ − λ. Runs are shorter
 * and loads higher than usual for plans.
 */
import { chainSpec, planOf } from '../../packages/core/src/model/spec-builders.test-support.js';
import { type ServiceCurves, serviceCurve } from '../../packages/core/src/profile/service-curves.js';
import { verifyPlan } from '../../packages/core/src/simulate/verify-plan.js';

const SERVICE_MS = 10;

const curve = serviceCurve(1, 1, [{ batchSize: 1, law: { kind: 'exponential', meanMs: SERVICE_MS } }]);
const curves: ServiceCurves = { kind: 'curves', curve: () => curve, warnings: [] };
const chain = chainSpec({ a: [{ cpuCores: 1, batchSize: 1, meanMs: SERVICE_MS }] });

/** One queue; the SLO is `room` times its true percentile. */
export interface VerdictCase {
  readonly load: number;
  readonly requests: number;
  readonly percentile: number;
  readonly room: number;
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
export const nearCapacity: VerdictCase = atTruth(0.99, 170_000);

/** Most seeds of these cases must pass. */
export const farBelow: readonly VerdictCase[] = [
  { load: 0.9, requests: 170_000, percentile: 99, room: 5 },
  { load: 0.97, requests: 400_000, percentile: 99, room: 5 },
];

export function countVerdicts({ load, requests, percentile, room }: VerdictCase, seeds: number): VerdictCounts {
  const latencyMs = (-room * Math.log(1 - percentile / 100) * SERVICE_MS) / (1 - load);
  const spec = { ...chain, slo: { latencyMs, percentile } };
  const plan = planOf(spec, { maxBatchSize: 1, replicas: 1 });
  const verdicts = Array.from({ length: seeds }, (_, i) =>
    verifyPlan(
      {
        ...{ spec, curves, arrivalRps: (1000 * load) / SERVICE_MS, hostCores: 1 },
        ...{ seed: i + 1, workStageRequests: requests },
      },
      plan,
    ),
  );
  const conclusive = verdicts.filter((verdict) => verdict.conclusive);
  const passes = conclusive.filter(({ sloAttainmentFraction }) => sloAttainmentFraction > percentile / 100);
  return { seeds, inconclusive: seeds - conclusive.length, passes: passes.length };
}
