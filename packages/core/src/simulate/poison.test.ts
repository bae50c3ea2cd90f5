/** A stage of four replicas at 60 % load for ten simulated minutes. One input in a hundred hangs a replica. */
import { expect, it } from 'vitest';
import { SeededRng } from '../kernel/rng.js';
import { stageId } from '../model/ids.js';
import { chainSpec } from '../model/spec-builders.test-support.js';
import { requireCurves } from '../profile/service-curves.js';
import { poissonArrivals } from './arrivals/constant-rate.js';
import { ItemChances } from './item-chances.js';
import { simulatePlan } from './simulate-plan.js';

const REPLICAS = 4;
const TEN_MINUTES_MS = 600_000;
const resources = { cpuCores: 1, memoryBytes: 0, gpus: 0 };

it.each([
  { maxBatchSize: 1, sloMs: 2_000, loadMs: 300 },
  { maxBatchSize: 2, sloMs: 4_000, loadMs: 300 },
  // At two hangs per second, replicas that load for longer would use up the spare capacity.
  { maxBatchSize: 8, sloMs: 4_000, loadMs: 50 },
])('only inputs that hang a stage fail: %j', ({ maxBatchSize, sloMs, loadMs }) => {
  const meanMs = (size: number): number => 15 + 10 * size;
  const sizes = Array.from({ length: maxBatchSize }, (_, i) => i + 1);
  const points = sizes.map((size) => ({
    ...{ cpuCores: 1, batchSize: size, meanMs: meanMs(size), p99Ms: 1.5 * meanMs(size) },
  }));
  const spec = { ...chainSpec({ a: points }), slo: { latencyMs: sloMs, percentile: 99 } };
  const [variant] = spec.stages[0]?.variants ?? [];
  const plan = { maxBatchSize, maxBatchWaitMs: 0, replicas: REPLICAS, trafficFraction: 1 };
  const chances = new ItemChances(spec, new SeededRng(1));
  const isPoison = (key: number): boolean => (key >>> 0) % 100 === 0;
  const ends: Record<string, number> = {};
  simulatePlan({
    spec,
    curves: requireCurves(spec, []),
    plan: {
      stages: { [stageId('a')]: [{ variantId: variant?.id as never, resources, ...plan }] },
      predicted: { latencyMs: 0, percentile: 99, pas: 0, capacityRps: 0, cpuCores: 0, costPerHour: 0 },
    },
    arrivals: poissonArrivals(
      (0.6 * REPLICAS * 1000 * maxBatchSize) / meanMs(maxBatchSize),
      TEN_MINUTES_MS,
      new SeededRng(1),
    ),
    rng: new SeededRng(1),
    hostCores: Number.POSITIVE_INFINITY,
    drops: true,
    controller: { intervalMs: TEN_MINUTES_MS, decide: () => undefined, loadMs: () => loadMs },
    faults: { startFails: () => false, faultsOf: () => [], hangsOn: (_, key) => isPoison(key) },
    onEnd: ({ sequence, outcome }) => {
      const end = `${isPoison(chances.request(sequence)) ? 'poison' : 'good'} ${outcome}`;
      ends[end] = (ends[end] ?? 0) + 1;
    },
  });
  expect(Object.keys(ends).sort()).toEqual(['good completed', 'poison failed']);
  expect(ends['poison failed']).toBeGreaterThan(500);
});
