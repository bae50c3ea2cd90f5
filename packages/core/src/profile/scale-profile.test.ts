import { expect, it } from 'vitest';
import { stageId, variantId } from '../model/ids.js';
import { networkedPoint, robustPoint, scaleProfile } from './scale-profile.js';

it.each([
  [
    { meanMs: 10, p50Ms: 9, p95Ms: 12, p99Ms: 14 },
    { meanMs: 13, p50Ms: 12, p95Ms: 15, p99Ms: 17 },
  ],
  [{ throughputRps: 400 }, { meanMs: 13 }],
  [{ p99Ms: 14 }, { p99Ms: 17 }],
])('of a replica 3 ms away, %j becomes %j', (times, networked) => {
  const point = { cpuCores: 1, batchSize: 4, memoryBytes: 7 };
  expect(networkedPoint({ ...point, ...times }, 3)).toEqual({ ...point, ...networked });
});

it('stretches times, divides rates and keeps the rest', () => {
  const point = { cpuCores: 1, batchSize: 4, meanMs: 10, p50Ms: 9, p95Ms: 12, p99Ms: 14, throughputRps: 400 };
  const profile = {
    stageId: stageId('a'),
    variantId: variantId('v'),
    points: [
      { ...point, memoryBytes: 7 },
      { cpuCores: 2, batchSize: 1, p50Ms: 3 },
    ],
    loadMs: 100,
  };
  const scaled = { factor: 1.5, measuredOn: 'other' };
  expect(scaleProfile(profile, scaled)).toEqual({
    ...profile,
    points: [
      { ...point, meanMs: 15, p50Ms: 13.5, p95Ms: 18, p99Ms: 21, throughputRps: 400 / 1.5, memoryBytes: 7 },
      { cpuCores: 2, batchSize: 1, p50Ms: 4.5 },
    ],
    loadMs: 150,
    scaled,
  });
});

it.each([
  ['nothing was learned', undefined, 13],
  ['serving is less slow than the factor', 1.2, 13],
  ['serving is faster than profiled', 0.5, 13],
  ['serving is slower than the factor', 2, 20],
])('holds for the larger of the factor and the learned slowness: %s', (_, learnedFactor, meanMs) => {
  const point = {
    cpuCores: 1,
    batchSize: 1,
    meanMs: 10 * (learnedFactor ?? 1),
    ...(learnedFactor && { learnedFactor }),
  };
  expect(robustPoint(point, { serviceFactor: 1.3 }).meanMs).toBeCloseTo(meanMs, 9);
});
