import { expect, it } from 'vitest';
import { smoothedRate } from '../forecast/smoothed-rate.js';
import { SeededRng } from '../kernel/rng.js';
import { stageId, variantId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { ProfileSet } from '../model/profile-point.js';
import { chainSpec, planOf } from '../model/spec-builders.test-support.js';
import { requireCurves } from '../profile/service-curves.js';
import { poissonArrivals } from '../simulate/arrivals/constant-rate.js';
import { arrivalsOf } from '../simulate/arrivals/load-spec.js';
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

const member = (id: string) => ({
  ...(chainSpec({ [id]: [{ cpuCores: 1, batchSize: 1, meanMs: 10 }] }).stages[0] as PipelineSpec['stages'][number]),
  ...(id !== 'a' && { optional: true as const }),
});
const members = ['a', 'b', 'c'].map(member);
const vote = { id: stageId('vote'), method: 'vote', tensor: 'label', output: 'label' } as const;
const chosen = (b: string, c: string, accuracy: number) => ({
  variants: { [stageId('b')]: variantId(b), [stageId('c')]: variantId(c) },
  accuracy,
});
/** Three members of 10 ms on three cores: at 20 rps all fit, at 120 rps only one does. */
const ensemble: PipelineSpec = {
  ...taking(10),
  budget: { cpuCores: 3 },
  sources: [{ name: 'input', to: members.map(({ id }) => id), tensors: [] }],
  stages: members,
  combines: [vote],
  edges: members.map(({ id }) => ({ from: id, to: vote.id })),
  outputs: [{ from: vote.id }],
  accuracyTable: {
    combinations: [
      chosen('v', 'v', 0.9),
      chosen('v', 'omitted', 0.85),
      chosen('omitted', 'v', 0.85),
      chosen('omitted', 'omitted', 0.8),
    ],
  },
};

it('omits members of an ensemble under load and takes them back, and loses no request', { timeout: 120_000 }, () => {
  const curves = requireCurves(ensemble, []);
  const verifierAt = verifiersOf({ spec: ensemble, curves, hostCores: 3, seed: 1, workStageRequests: 5000 });
  const seconds = (count: number, rps: number) => Array.from({ length: count }, () => rps);
  const load = [...seconds(60, 20), ...seconds(90, 120), ...seconds(200, 20)];
  const ends: number[] = [];
  const run = simulateControl({
    context: {
      ...{ spec: ensemble, policy: controlPolicies.equipoise, forecaster: smoothedRate, guardrails: usualGuardrails },
      ...{ profiles: [], curves, verifierAt },
    },
    ...{ hostCores: 3, seed: 1, firstPlan: planOf(ensemble, { maxBatchSize: 1, replicas: 1 }) },
    arrivals: arrivalsOf({ kind: 'trace', arrivalsPerSecond: load, spread: 'poisson' }, new SeededRng(1)),
    onEnd: ({ latencyMs }) => ends.push(latencyMs ?? Number.POSITIVE_INFINITY),
  });
  const counts = run.decisions.flatMap(({ decision }) =>
    decision.kind === 'apply'
      ? [Object.values(decision.plan.stages).filter(([part]) => part?.replicas === 0).length]
      : [],
  );
  expect(counts).toContain(2);
  expect(counts.at(-1)).toBe(0);
  expect(ends).toHaveLength(load.reduce((sum, count) => sum + count, 0));
  const late = ends.filter((ms) => ms > ensemble.slo.latencyMs).length;
  expect(late / ends.length).toBeLessThan(0.2);
});
