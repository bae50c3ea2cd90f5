import { describe, expect, it } from 'vitest';
import { smoothedRate } from '../forecast/smoothed-rate.js';
import { SeededRng } from '../kernel/rng.js';
import { stageId } from '../model/ids.js';
import type { EdgeSpec, PipelineSpec } from '../model/pipeline-spec.js';
import type { ProfileSet } from '../model/profile-point.js';
import { chainSpec } from '../model/spec-builders.test-support.js';
import { requireCurves } from '../profile/service-curves.js';
import { poissonArrivals } from '../simulate/arrivals/constant-rate.js';
import { verifiersOf } from '../simulate/plan-verifier.js';
import { type ControllerRules, controlPolicies, usualGuardrails } from './rules.js';
import { firstPlan, simulateControl } from './simulate-control.js';

const DURATION_S = 300;
/** Length of runs whose loop has nothing to learn. */
const SHORT_S = 150;
const RATE_RPS = 40;
const [detect, classify] = [stageId('detect'), stageId('classify')];

/** Two stages. The first is cheap. The edge between them determines the load of the second. */
function pipeline(classifyMs: number, edge: Pick<EdgeSpec, 'fanOut' | 'when'>): PipelineSpec {
  const chain = chainSpec({
    detect: [{ cpuCores: 1, batchSize: 1, meanMs: 5 }],
    classify: [{ cpuCores: 1, batchSize: 1, meanMs: classifyMs }],
  });
  return {
    ...chain,
    edges: [{ from: detect, to: classify, ...edge }],
    outputs: edge.when === undefined ? chain.outputs : [{ from: detect }, { from: classify }],
    budget: { cpuCores: 24 },
    objective: { kind: 'min-cost', accuracyFloor: 0.1 },
    control: { mode: 'auto', intervalMs: 10_000, fastIntervalMs: 1000, minDwellMs: 20_000 },
  };
}
const fanOut = (expected: number) => pipeline(10, { fanOut: { expected } });
const branch = (probability: number) => pipeline(80, { when: { condition: 'true', probability } });

const partsFor = (profiles: ProfileSet, spec: PipelineSpec) => {
  const curves = requireCurves(spec, profiles);
  return {
    profiles,
    curves,
    verifierAt: verifiersOf({ spec, curves, hostCores: 32, seed: 1, workStageRequests: 20_000 }),
  };
};

/** Run that plans with the edges of `stated` and simulates those of `truth`. */
function served(
  stated: PipelineSpec,
  truth: PipelineSpec,
  { learns = true, durationS = DURATION_S }: { readonly learns?: boolean; readonly durationS?: number } = {},
) {
  const context: ControllerRules = {
    ...{ spec: stated, policy: controlPolicies.equipoise, forecaster: smoothedRate, guardrails: usualGuardrails },
    ...partsFor([], stated),
    ...(learns && { partsFor }),
  };
  const load = { kind: 'poisson', arrivalRps: RATE_RPS, durationS } as const;
  const ends = { ok: 0, all: 0 };
  const run = simulateControl({
    ...{ context, hostCores: 32, seed: 1, trueEdges: truth.edges, firstPlan: firstPlan(context, load, 1) },
    arrivals: poissonArrivals(RATE_RPS, 1000 * durationS, new SeededRng(1)),
    onEnd: ({ arrivedAtMs, latencyMs = Number.POSITIVE_INFINITY }) => {
      if (arrivedAtMs < 120_000) return;
      ends.all += 1;
      ends.ok += Number(latencyMs <= stated.slo.latencyMs);
    },
  });
  const { decisions } = run;
  const last = decisions.flatMap(({ decision: { evidence } }) =>
    evidence.result?.kind === 'feasible' ? [evidence.result.plan] : [],
  );
  const replicas = (last.at(-1)?.stages[classify] ?? [])[0]?.replicas;
  return {
    decisions,
    replicas,
    attained: ends.ok / ends.all,
    learned: decisions.at(-1)?.decision.evidence.learnedEdges,
  };
}

describe('a pipeline whose edges do other things than its file says', () => {
  it.each([
    ['a fan-out gives twice as many items', fanOut(3), fanOut(6)],
    ['a fan-out gives half as many', fanOut(6), fanOut(3)],
    ['a branch is taken four times as often', branch(0.2), branch(0.8)],
    ['a branch is taken a quarter as often', branch(0.8), branch(0.2)],
  ])('is planned as it is after some minutes: %s', { timeout: 300_000 }, (_, stated, truth) => {
    const learns = served(stated, truth);
    const knows = served(truth, truth, { durationS: SHORT_S });
    const believes = served(stated, truth, { learns: false, durationS: SHORT_S });
    expect(learns.replicas).toBe(knows.replicas);
    expect(believes.replicas).not.toBe(knows.replicas);
    expect(learns.attained).toBeGreaterThanOrEqual(0.99);
    expect(learns.learned).toHaveLength(1);
    expect(believes.learned).toBeUndefined();
  });

  it('is planned by its file where that is right, as if nothing were counted', { timeout: 300_000 }, () => {
    for (const spec of [fanOut(3), branch(0.3)]) {
      const [learns, believes] = [served(spec, spec), served(spec, spec, { learns: false })];
      expect(learns.decisions).toEqual(believes.decisions);
      expect(learns.decisions.every(({ decision: { evidence } }) => evidence.learnedEdges === undefined)).toBe(true);
    }
  });
});
