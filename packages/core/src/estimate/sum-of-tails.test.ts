import { expect, it } from 'vitest';
import { stageId } from '../model/ids.js';
import { affineCurve, modelStage, pipeline } from './pipeline.test-support.js';
import { longestPathMs, sumOfTailsReplicas, sumOfTailsStageMs } from './sum-of-tails.js';

const curve = affineCurve({ fixedMs: 8, perItemMs: 2, maxBatchSize: 4 });

it('adds the time that a batch takes to fill, none for single items', () => {
  expect(sumOfTailsStageMs(curve, 4, 100)).toBeCloseTo(16 + 30, 9);
  expect(sumOfTailsStageMs(curve, 1, 100)).toBeCloseTo(10, 9);
  expect(sumOfTailsStageMs(curve, 1, 0)).toBeCloseTo(10, 9);
});

it('takes just enough replicas, counted in full batches and shares', () => {
  expect([1, 250, 250.1, 500].map((rps) => sumOfTailsReplicas(curve, 4, rps))).toEqual([1, 1, 2, 2]);
  const half = affineCurve({ fixedMs: 8, perItemMs: 2, maxBatchSize: 4, cpuCores: 0.5 });
  expect(sumOfTailsReplicas(half, 4, 250)).toBe(2);
});

it('sums along the longest path', () => {
  const names = ['a', 'b', 'c', 'd'];
  const spec = pipeline(names.map(modelStage), ['a->b', 'a->c', 'b->d', 'c->d'], ['d']);
  const stageMs = new Map([1, 10, 100, 1000].map((ms, i) => [stageId(names[i] as string), ms]));
  expect(longestPathMs(spec, stageMs)).toBe(1101);
});
