import { expect, it } from 'vitest';
import { smoothedRate } from '../forecast/smoothed-rate.js';
import { SeededRng } from '../kernel/rng.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { ProfileSet } from '../model/profile-point.js';
import { chainSpec, planOf } from '../model/spec-builders.test-support.js';
import { requireCurves } from '../profile/service-curves.js';
import { poissonArrivals } from '../simulate/arrivals/constant-rate.js';
import { verifiersOf } from '../simulate/plan-verifier.js';
import { type ControllerRules, controlPolicies, usualGuardrails } from './rules.js';
import { simulateControl } from './simulate-control.js';

const DURATION_S = 120;
const SETTLED_AT_MS = 60_000;
const taking = (meanMs: number): PipelineSpec => ({
  ...chainSpec({ detect: [{ cpuCores: 1, batchSize: 1, meanMs }] }),
  budget: { cpuCores: 2 },
});
/** Batches take 100 ms; the profile says 50 ms. */
const [spec, truth] = [taking(50), taking(100)];

const partsFor = (profiles: ProfileSet) => {
  const curves = requireCurves(spec, profiles);
  return {
    profiles,
    curves,
    verifierAt: verifiersOf({ spec, curves, hostCores: 2, seed: 1, workStageRequests: 5000 }),
  };
};

/** Outcomes of requests at twice the capacity of two replicas. */
function overloaded(learns: boolean) {
  const context: ControllerRules = {
    ...{ spec, policy: controlPolicies.equipoise, forecaster: smoothedRate, guardrails: usualGuardrails },
    ...partsFor([]),
    ...(learns && { partsFor }),
  };
  const ends = { inTime: 0, late: 0, dropped: 0 };
  simulateControl({
    ...{ context, hostCores: 2, seed: 1, trueCurves: requireCurves(truth, []) },
    firstPlan: planOf(spec, { maxBatchSize: 1, replicas: 2 }),
    arrivals: poissonArrivals(40, 1000 * DURATION_S, new SeededRng(1)),
    onEnd: ({ arrivedAtMs, latencyMs }) => {
      if (arrivedAtMs < SETTLED_AT_MS) return;
      ends[latencyMs === undefined ? 'dropped' : latencyMs <= spec.slo.latencyMs ? 'inTime' : 'late'] += 1;
    },
  });
  return ends;
}

it('drops what cannot be in time by the service times that serving has shown', { timeout: 120_000 }, () => {
  const [corrected, believed] = [overloaded(true), overloaded(false)];
  expect(believed.late).toBeGreaterThan(500);
  expect(corrected.late).toBeLessThan(0.05 * believed.late);
  expect(corrected.inTime).toBeGreaterThan(1000);
  expect(corrected.dropped).toBeGreaterThan(1000);
});
