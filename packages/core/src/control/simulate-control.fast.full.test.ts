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

const STEP_AT_S = 43;

/** A step from 20 to 100 rps between two plans. */
function stepped(fastIntervalMs: number | undefined, targetAt?: ControllerRules['targetAt']) {
  const plain = smallOrLargeSpec();
  const spec: PipelineSpec = {
    ...plain,
    stages: plain.stages.map((stage) => ({ ...stage, variants: stage.variants.slice(-1) })),
    budget: { cpuCores: 16 },
    objective: { kind: 'min-cost', accuracyFloor: 0.9 },
    prices: { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 },
    control: {
      mode: 'auto',
      intervalMs: 10_000,
      minDwellMs: 20_000,
      ...(fastIntervalMs !== undefined && { fastIntervalMs }),
    },
  };
  const curves = requireCurves(spec, []);
  const verifierAt = verifiersOf({ spec, curves, hostCores: 32, seed: 1, workStageRequests: 20_000 });
  const policy = controlPolicies.equipoise;
  const context: ControllerRules = {
    ...{ spec, profiles: [], curves, policy, forecaster: smoothedRate, verifierAt, guardrails: usualGuardrails },
    ...(targetAt && { targetAt }),
  };
  const plan = planOf(spec, { maxBatchSize: 1, replicas: 3 });
  const arrivals = stepArrivals({ fromRps: 20, toRps: 100, atS: STEP_AT_S, durationS: 90 }, new SeededRng(1));
  return simulateControl({ context, firstPlan: plan, arrivals, hostCores: 32, seed: 1 });
}

describe('the fast loop in a simulated run', () => {
  it('answers a step at its next tick or the one after, and loses far fewer requests than the slow loop alone', {
    timeout: 300_000,
  }, () => {
    const [fast, slow] = [stepped(1000), stepped(undefined)];
    const lost = [fast, slow].map(({ tally }) => tally.arrived - tally.withinSlo);
    const answer = fast.decisions.find(({ decision }) => decision.evidence.burst !== undefined);
    expect(answer?.atMs).toBeGreaterThan(1000 * STEP_AT_S);
    expect(answer?.atMs).toBeLessThanOrEqual(1000 * (STEP_AT_S + 2));
    expect(lost[0]).toBeLessThan(0.5 * (lost[1] ?? 0));
    expect(slow.decisions.every(({ atMs }) => atMs % 10_000 === 0)).toBe(true);
  });

  it('answers within the budget that holds at that moment', { timeout: 300_000 }, () => {
    const { decisions } = stepped(1000, (atMs) => ({ budget: { cpuCores: atMs < 1000 * STEP_AT_S ? 16 : 5 } }));
    const answers = decisions.flatMap(({ decision }) =>
      decision.kind === 'apply' && decision.evidence.burst !== undefined ? [decision.plan.predicted.cpuCores] : [],
    );
    expect(answers[0]).toBeGreaterThan(3);
    expect(Math.max(...answers)).toBeLessThanOrEqual(5);
  });
});
