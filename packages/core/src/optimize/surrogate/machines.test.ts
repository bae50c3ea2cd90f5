import { describe, expect, it } from 'vitest';
import { replicaId, variantId } from '../../model/ids.js';
import type { NodeGroup, Objective, PipelineSpec, StageSpec } from '../../model/pipeline-spec.js';
import { bruteForce } from '../brute-force.test-support.js';
import { prepareProblem } from '../options/prepared-problem.js';
import { surrogateProblem } from '../options/surrogate.js';
import { problemOf, testPipeline, testStage } from '../planning.test-support.js';
import type { PlanningProblem } from '../planning-problem.js';
import { costOf, objectiveValue, pasOf } from './objective-value.js';
import { solve } from './solve.js';

const ACCURATE: Objective = { kind: 'max-accuracy' };
const CHEAP: Objective = { kind: 'min-cost', accuracyFloor: 0.3 };
const FACTORS = { theta: 1, kappa: 1 };
const BOUNDS = { minReplicas: 1, maxReplicas: 4, batchSizes: [1, 4], maxBatchWaitMs: 0 };
const STAGES = ['a', 'b'].map((name, i) => {
  const plain = { name: 'plain', accuracy: 0.6, fixedMs: 2, perItemMs: 20 };
  const better = { name: 'better', accuracy: 0.8, fixedMs: 4, perItemMs: 30 + 10 * i };
  return { ...testStage(name, [plain, better], [1, 2, 4]), bounds: BOUNDS };
});

const AT = (latencyMs: number) => ({ slo: { latencyMs, percentile: 99 } });
const machines = (...cores: readonly number[]): readonly NodeGroup[] =>
  cores.map((cpuCores) => ({ cpuCores, memoryBytes: 0, gpus: 0, count: 1 }));

const asked = (stages: readonly StageSpec[], rps: number, more: Partial<PipelineSpec>): PlanningProblem =>
  problemOf({ ...testPipeline(stages), budget: {}, ...more }, rps);

function answer(problem: PlanningProblem) {
  const prepared = prepareProblem(problem);
  const { choice, optimal } = solve(surrogateProblem(prepared, FACTORS));
  if (choice === undefined) return undefined;
  const value = objectiveValue(prepared.objective, prepared.accuracy, choice);
  const signed = prepared.objective.kind === 'min-cost' ? -value : value;
  return { optimal, value: signed, cost: costOf(choice), pas: pasOf(prepared.accuracy, choice) };
}

function expectBruteForce(problem: PlanningProblem): void {
  const { best } = bruteForce(problem, FACTORS.theta, FACTORS.kappa);
  const found = answer(problem);
  expect(found?.optimal).toBe(best === undefined ? undefined : true);
  expect(found?.value ?? 0).toBeCloseTo(best?.value ?? 0, 9);
  expect(found?.cost ?? 0).toBeCloseTo(best?.cost ?? 0, 9);
  expect(found?.pas ?? 0).toBeCloseTo(best?.pas ?? 0, 9);
}

const SIZES = [machines(3, 3), machines(2, 2, 2, 2), machines(5, 1, 1), machines(3, 3, 3)];

describe('on machines of given sizes the answer is that of all plans', () => {
  it('also between equals, where some replicas are larger than any machine', () => {
    for (const nodes of SIZES)
      for (const latencyMs of [120, 180, 400])
        for (const objective of [ACCURATE, CHEAP])
          expectBruteForce(asked(STAGES, 25, { ...AT(latencyMs), nodes, objective }));
  });

  it('where fewer replicas cost no less, so that only machines speak for them', () => {
    const prices = { cpuCorePerHour: 0, memoryGibPerHour: 0, gpuPerHour: 0 };
    const better = { name: 'better', accuracy: 0.8, fixedMs: 4, perItemMs: 30, tail: 2 };
    const stage = { ...testStage('a', [better], [2]), bounds: BOUNDS };
    for (const latencyMs of [60, 90, 120])
      for (const rps of [20, 40, 60])
        expectBruteForce(asked([stage], rps, { ...AT(latencyMs), prices, nodes: machines(3, 3, 1) }));
  });

  it('where what runs is cheaper than fewer replicas that have to start', () => {
    const plain = { name: 'plain', accuracy: 0.6, fixedMs: 2, perItemMs: 40 };
    const better = { name: 'better', accuracy: 0.8, fixedMs: 4, perItemMs: 60 };
    const stage = { ...testStage('a', [plain, better], [2]), bounds: BOUNDS };
    const slowToLoad = { ...stage, variants: stage.variants.map((variant) => ({ ...variant, loadMs: 90_000 })) };
    const replicas = Array.from({ length: 3 }, (_, i) => ({
      replicaId: replicaId(`r${i}`),
      variantId: variantId('better'),
      resources: { cpuCores: 2, memoryBytes: 0, gpus: 0 },
      status: 'ready' as const,
    }));
    const runningPlan = { stages: { a: { replicas, maxBatchSize: 1, maxBatchWaitMs: 0 } } };
    for (const objective of [ACCURATE, CHEAP]) {
      const problem = asked([slowToLoad], 75, { ...AT(1e6), objective, nodes: machines(3, 3, 1) });
      expectBruteForce({ ...problem, runningPlan });
    }
  });
});
