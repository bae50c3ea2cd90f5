/**
 * How often a verdict is wrong: M/M/1, whose sojourn time is exponential with rate μ − λ, asked whether 99 % are within exactly its 99 %
 * point. The interval contains the truth where the verdict is inconclusive. The shorter runs and the higher load are harder than a plan's
 * verification usually is; seeds are 1, 2, 3 …
 */
import { describe, expect, it } from 'vitest';
import { chainSpec, planOf } from '../model/spec-builders.test-support.js';
import type { ServiceCurves } from '../profile/curves-of.js';
import { serviceCurve } from '../profile/service-curve.js';
import { verifyPlan } from './verify-plan.js';

const SEEDS = 300;
const SERVICE_MS = 10;

const curve = serviceCurve(1, 1, [{ batchSize: 1, law: { kind: 'exponential', meanMs: SERVICE_MS } }]);
const curves: ServiceCurves = { kind: 'curves', curve: () => curve, warnings: [] };
const chain = chainSpec({ a: [{ cpuCores: 1, batchSize: 1, meanMs: SERVICE_MS }] });

/**
 * Parts of the seeds whose verdict is inconclusive and that say the SLO is met, for an SLO of `room` times the true percentile: at 1 the
 * interval of an inconclusive one contains the truth, and one that says met is wrong.
 */
function coverage(load: number, workStageRequests: number, percentile: number, room = 1) {
  const latencyMs = (-room * Math.log(1 - percentile / 100) * SERVICE_MS) / (1 - load);
  const spec = { ...chain, slo: { latencyMs, percentile } };
  const plan = planOf(spec, { maxBatchSize: 1, replicas: 1 });
  const verdicts = Array.from({ length: SEEDS }, (_, i) =>
    verifyPlan(
      { spec, curves, arrivalRps: (1000 * load) / SERVICE_MS, hostCores: 1, seed: i + 1, workStageRequests },
      plan,
    ),
  );
  const conclusive = verdicts.filter(({ conclusive }) => conclusive);
  const passes = conclusive.filter(({ sloAttainmentFraction }) => sloAttainmentFraction > percentile / 100);
  return { inconclusive: 1 - conclusive.length / SEEDS, passes: passes.length / SEEDS };
}

describe('the 99 % interval of a verification', () => {
  it.each([
    [0.5, 33_000, 99],
    [0.5, 100_000, 99],
    [0.8, 33_000, 95],
    [0.8, 33_000, 99],
    [0.8, 100_000, 99],
    [0.9, 100_000, 99],
    [0.97, 100_000, 99],
  ])('contains the truth of M/M/1 at load %d in %d requests for p%d', (load, requests, percentile) => {
    const { inconclusive, passes } = coverage(load, requests, percentile);
    expect(inconclusive).toBeGreaterThanOrEqual(0.97);
    expect(passes).toBeLessThanOrEqual(0.02);
  });
});

describe('a verification very near capacity', () => {
  it('seldom takes distance for proof where the SLO is the percentile', () => {
    expect(coverage(0.99, 170_000, 99).passes).toBeLessThanOrEqual(0.02);
  });
});

describe('a verification against an SLO far above the percentile', () => {
  it.each([
    [0.9, 170_000, 99],
    [0.97, 400_000, 99],
  ])(
    'mostly shows that M/M/1 at load %d meets five times its percentile in %d requests for p%d',
    (load, requests, percentile) => {
      const { passes } = coverage(load, requests, percentile, 5);
      expect(passes).toBeGreaterThanOrEqual(0.5);
    },
  );
});
