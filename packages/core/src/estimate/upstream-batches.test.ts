import { expect, it } from 'vitest';
import { affineCurve } from './pipeline.test-support.js';
import { estimateStage } from './stage-sojourn.js';
import { lastingGroupSize, sizeParts, sizeWithMean } from './upstream-batches.js';

const curve = affineCurve({ fixedMs: 4, perItemMs: 2, maxBatchSize: 16 });
const upstream = { sizes: [1, 2, 4, 8, 16], serviceMs: 20 };

it('reads the size of a batch off its mean time', () => {
  expect([1, 6, 7, 14, 99].map((ms) => sizeWithMean(curve, ms, 8))).toEqual([1, 1, 1.5, 5, 8]);
  expect(sizeWithMean(affineCurve({ fixedMs: 4, perItemMs: 0, maxBatchSize: 4 }), 4, 4)).toBeLessThanOrEqual(4);
});

it('forgets groups over times that are long against the stage before, but not fan-outs', () => {
  const sizes = [0.1, 10, 1000].map((fullMs) => lastingGroupSize({ size: 9, lasting: 1 }, upstream, fullMs));
  expect(sizes[0]).toBeGreaterThan(8.5);
  expect(sizes[1]).toBeGreaterThan(sizes[2] as number);
  expect(sizes[2]).toBeLessThan(1.1);
  expect(lastingGroupSize({ size: 9, lasting: 9 }, upstream, 1000)).toBe(9);
});

it('has parts that sum to 1, each with its middle', () => {
  let before = 0;
  for (const { weight, middle } of sizeParts) {
    expect(middle).toBeCloseTo(before + weight / 2, 9);
    before += weight;
  }
  expect(before).toBeCloseTo(1, 9);
});

it('is slower behind larger batches, and like Poisson behind single items', () => {
  const stage = { curve, replicas: 2, maxBatchSize: 8, arrivalRps: 300, groupSize: 1, itemsPerRequest: 1 };
  const p99 = (sizes: readonly number[]) =>
    estimateStage({ ...stage, upstream: { ...upstream, sizes } }).quantileMs(0.99);
  expect(p99([1, 1, 1, 1, 1])).toBe(estimateStage(stage).quantileMs(0.99));
  expect(p99([1, 1, 1, 4, 8])).toBeGreaterThan(p99([1, 1, 1, 1, 1]));
  expect(p99([4, 4, 6, 8, 8])).toBeGreaterThan(p99([1, 1, 1, 4, 8]));
});

it('gives sizes as items see them, larger under more load', () => {
  const stage = { curve, replicas: 2, maxBatchSize: 8, groupSize: 1 };
  const [light = [], busy = []] = [20, 650].map((arrivalRps) => estimateStage({ ...stage, arrivalRps }).batchSizes());
  expect(light[0]).toBe(1);
  expect(busy.at(-1)).toBe(8);
  for (const [i, size] of busy.entries()) expect(size).toBeGreaterThanOrEqual(light[i] as number);
});
