import { describe, expect, it } from 'vitest';
import { smoothedRate } from '../forecast/smoothed-rate.js';
import { SeededRng } from '../kernel/rng.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import { planOf, smallOrLargeSpec } from '../model/spec-builders.test-support.js';
import { requireCurves } from '../profile/service-curves.js';
import { stepArrivals } from '../simulate/arrivals/varying-rate.js';
import { verifiersOf } from '../simulate/plan-verifier.js';
import { type ControllerRules, controlPolicies, usualGuardrails } from './rules.js';
import { simulateControl } from './simulate-control.js';

const LOAD_MS = 5000;
/** The first plan is too small. A change from 1 s to 6 s adds capacity. */
const CHANGE_AT_S = 1;

/** The load rises fivefold one second into a change. */
function stepInChange() {
  const plain = smallOrLargeSpec();
  const spec: PipelineSpec = {
    ...plain,
    stages: plain.stages.map((stage) => ({
      ...stage,
      variants: stage.variants.slice(-1).map((variant) => ({ ...variant, loadMs: LOAD_MS })),
    })),
    budget: { cpuCores: 16 },
    objective: { kind: 'min-cost', accuracyFloor: 0.9 },
    prices: { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 },
    control: { mode: 'auto', intervalMs: 10_000, fastIntervalMs: 500, minDwellMs: 20_000 },
  };
  const curves = requireCurves(spec, []);
  const context: ControllerRules = {
    ...{ spec, profiles: [], curves, policy: controlPolicies.equipoise, forecaster: smoothedRate },
    verifierAt: verifiersOf({ spec, curves, hostCores: 32, seed: 1, workStageRequests: 20_000 }),
    guardrails: usualGuardrails,
  };
  const arrivals = stepArrivals({ fromRps: 20, toRps: 100, atS: CHANGE_AT_S + 1, durationS: 60 }, new SeededRng(1));
  const firstPlan = planOf(spec, { maxBatchSize: 1, replicas: 1 });
  return simulateControl({ context, firstPlan, arrivals, hostCores: 32, seed: 1 });
}

describe('a burst in the middle of a change', () => {
  it('is answered before the change has ended', { timeout: 120_000 }, () => {
    const { decisions } = stepInChange();
    const applied = decisions.filter(({ decision }) => decision.kind === 'apply');
    expect(applied[0]?.atMs).toBe(1000 * CHANGE_AT_S);
    const answer = applied.find(({ decision }) => decision.evidence.burst !== undefined);
    expect(answer?.atMs).toBeGreaterThan(1000 * (CHANGE_AT_S + 1));
    expect(answer?.atMs).toBeLessThanOrEqual(1000 * (CHANGE_AT_S + 3));
    expect(answer?.atMs).toBeLessThan(1000 * CHANGE_AT_S + LOAD_MS);
  });
});
