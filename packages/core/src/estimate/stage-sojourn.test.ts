import { describe, expect, it } from 'vitest';
import { affineCurve } from './pipeline.test-support.js';
import { estimateStage } from './stage-sojourn.js';

const curve = affineCurve({ fixedMs: 8, perItemMs: 2, maxBatchSize: 16 });
const query = { curve, replicas: 2, maxBatchSize: 8, arrivalRps: 200, groupSize: 1 };

describe('estimateStage', () => {
  it('is unstable from a load factor of 1 on', () => {
    const full = estimateStage({ ...query, arrivalRps: (1000 * 2 * 8) / 24 });
    expect(full).toMatchObject({ stable: false, meanMs: Number.POSITIVE_INFINITY });
    expect(full.loadFactor).toBeCloseTo(1, 9);
    expect(full.quantileMs(0.99)).toBe(Number.POSITIVE_INFINITY);
  });

  it('never lies below the service time of one item', () => {
    expect(estimateStage({ ...query, arrivalRps: 0.01 }).quantileMs(0.5)).toBeCloseTo(10, 1);
  });

  it('rises with the load and falls with replicas', () => {
    const p99 = (arrivalRps: number, replicas: number) =>
      estimateStage({ ...query, arrivalRps, replicas }).quantileMs(0.99);
    expect(p99(400, 2)).toBeGreaterThan(p99(200, 2));
    expect(p99(400, 3)).toBeLessThan(p99(400, 2));
  });
});
