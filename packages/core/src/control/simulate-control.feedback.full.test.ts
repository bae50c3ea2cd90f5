import { describe, expect, it } from 'vitest';
import { smoothedRate } from '../forecast/smoothed-rate.js';
import { SeededRng } from '../kernel/rng.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { ProfileSet } from '../model/profile-point.js';
import { planOf, smallOrLargeSpec } from '../model/spec-builders.test-support.js';
import { requireCurves } from '../profile/service-curves.js';
import { poissonArrivals } from '../simulate/arrivals/constant-rate.js';
import { verifiersOf } from '../simulate/plan-verifier.js';
import { type ControllerRules, controlPolicies, usualGuardrails } from './rules.js';
import { simulateControl } from './simulate-control.js';

const DURATION_S = 160;
const SETTLED_AT_S = 90;
const plain = smallOrLargeSpec();
/** Only variant `large`, profiled at 20 rps per core. */
const spec: PipelineSpec = {
  ...plain,
  stages: plain.stages.map((stage) => ({ ...stage, variants: stage.variants.slice(-1) })),
  budget: { cpuCores: 16 },
  objective: { kind: 'min-cost', accuracyFloor: 0.9 },
  prices: { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 },
  control: { mode: 'auto', intervalMs: 10_000, fastIntervalMs: 1000, minDwellMs: 20_000 },
};

function slower(factor: number): PipelineSpec {
  const stages = spec.stages.map((stage) => ({
    ...stage,
    variants: stage.variants.map((variant) => ({
      ...variant,
      profile: (variant.profile ?? []).map((point) => ({
        ...point,
        meanMs: factor * (point.meanMs ?? 0),
        p99Ms: factor * (point.p99Ms ?? 0),
      })),
    })),
  }));
  return { ...spec, stages };
}

const partsFor = (profiles: ProfileSet) => {
  const curves = requireCurves(spec, profiles);
  return {
    profiles,
    curves,
    verifierAt: verifiersOf({ spec, curves, hostCores: 32, seed: 1, workStageRequests: 20_000 }),
  };
};

function served(factor: number, feedback: boolean) {
  const policy = controlPolicies.equipoise;
  const context: ControllerRules = {
    ...{ spec, policy, forecaster: smoothedRate, guardrails: usualGuardrails },
    ...partsFor([]),
    ...(feedback && { partsFor }),
  };
  const windows = new Map<number, { ok: number; all: number }>();
  const run = simulateControl({
    ...{ context, hostCores: 32, seed: 1 },
    trueCurves: requireCurves(slower(factor), []),
    firstPlan: planOf(spec, { maxBatchSize: 1, replicas: 4 }),
    arrivals: poissonArrivals(50, 1000 * DURATION_S, new SeededRng(1)),
    onEnd: ({ arrivedAtMs, latencyMs = Number.POSITIVE_INFINITY }) => {
      const key = Math.floor(arrivedAtMs / 10_000);
      const { ok, all } = windows.get(key) ?? { ok: 0, all: 0 };
      windows.set(key, { ok: ok + Number(latencyMs <= spec.slo.latencyMs), all: all + 1 });
    },
  });
  const settled = [...windows].filter(([key]) => key * 10 >= SETTLED_AT_S).map(([, { ok, all }]) => ok / all);
  return { run, worst: Math.min(...settled), cores: run.meanUse.resources.cpuCores };
}

describe('a profile that is wrong', () => {
  it('is corrected by what serving measures when batches take twice as long', { timeout: 300_000 }, () => {
    const [corrected, believed] = [served(2, true), served(2, false)];
    expect(corrected.worst).toBeGreaterThanOrEqual(0.99);
    expect(believed.worst).toBeLessThan(0.9);
  });

  it('is corrected to save what it costs too much when they take half as long', { timeout: 300_000 }, () => {
    const [corrected, believed] = [served(0.5, true), served(0.5, false)];
    expect(corrected.worst).toBeGreaterThanOrEqual(0.99);
    expect(corrected.cores).toBeLessThan(0.8 * believed.cores);
  });
});
