import { fileURLToPath } from 'node:url';
import type { Plan, ProfileSet, StageId, StagePlan } from '@equipoise/core/model';
import { loadPipelineFile } from '@equipoise/pipeline-file';
import { describe, expect, it } from 'vitest';
import { simulatedRun } from './simulated-run.js';

const loaded = await loadPipelineFile(
  fileURLToPath(new URL('../../../../examples/policies/pipeline.yaml', import.meta.url)),
);
if (loaded.kind === 'invalid') throw new Error('the example is valid');
const { spec } = loaded;

const known = (value: number) => ({ value, halfWidth: 0 });
/** Half of the batches take a third of the expected time more. */
const spread = Array.from({ length: 29 }, (_, i) => (i < 14 ? 0.8 : 1.2));
const correction = {
  ...{ handOverMs: known(3), inflation: known(0.3), loadInflation: known(0), contention: known(0.1) },
  ...{ usual: { recentUse: 0.5, otherBatches: 1 }, spread: Array.from({ length: 5 }, () => spread) },
  ...{ bunching: { correlation: 0, memoryMs: 1 }, usualFactor: 1, cpuFraction: 1, batches: 1000 },
};

const profilesWith = (isCalibrated: boolean): ProfileSet =>
  spec.stages.flatMap((stage) =>
    stage.variants.map(({ id, profile = [] }) => ({
      ...{ stageId: stage.id, variantId: id, points: profile, loadMs: 0 },
      ...(isCalibrated && { correction }),
    })),
  );

const stages = Object.fromEntries(
  spec.stages.map(({ id, variants }): [StageId, readonly StagePlan[]] => {
    const [variant] = variants;
    if (variant === undefined) throw new Error('the example has variants');
    const resources = { cpuCores: 1, memoryBytes: 0, gpus: 0 };
    const part = { variantId: variant.id, resources, maxBatchSize: 1, maxBatchWaitMs: 0, replicas: 4 };
    return [id, [{ ...part, trafficFraction: 1 }]];
  }),
);
const predicted = { latencyMs: 0, percentile: 99, pas: 0, capacityRps: 0, cpuCores: 0, costPerHour: 0 };
const plan: Plan = { stages, predicted };

function p50Ms(profiles: ProfileSet, profileFactor: number): number {
  const load = { kind: 'poisson', arrivalRps: 20, durationS: 60 } as const;
  return simulatedRun({ spec, profiles, load, seed: 1, by: { plan }, profileFactor }).figures.latencyMs.p50;
}

describe.each([
  ['a calibrated profile', profilesWith(true)],
  ['a profile alone', profilesWith(false)],
])('real service times ÷ %s', (_, profiles) => {
  it('change the figures by as much, and not the model', () => {
    const usual = p50Ms(profiles, 1);
    expect(Math.abs(p50Ms(profiles, 1.0001) / usual - 1)).toBeLessThan(0.01);
    expect(p50Ms(profiles, 1.5) / usual).toBeGreaterThan(1.3);
  });
});

it('a correction counts', () => {
  expect(p50Ms(profilesWith(true), 1)).toBeGreaterThan(1.2 * p50Ms(profilesWith(false), 1));
});

it('the cores of routers without requests count until the load ends', () => {
  const load = { kind: 'poisson', arrivalRps: 0.02, durationS: 60 } as const;
  const { figures } = simulatedRun({ spec, profiles: profilesWith(false), load, seed: 1, by: { plan }, routers: 4 });
  expect(figures.requests).toBeLessThan(4);
  expect(figures.cpuCoresMean).toBeCloseTo(4 * spec.stages.length);
});
