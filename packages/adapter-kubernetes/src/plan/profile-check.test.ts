import { type Plan, stageId, variantId } from '@equipoise/core/model';
import { describe, expect, it } from 'vitest';
import { specOf } from '../render/render-request.test-support.js';
import { withCpuPolicy } from './cpu-policy.js';
import { type MeasuredBatches, observedBatches, profileIssue } from './profile-check.js';

const SHARE = 0.15;
const detect = stageId('detect');

const unlimited = specOf(`apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: p }
spec:
  slo: { latencyMs: 1000 }
  stages:
    - name: detect
      variants:
        - name: small
          accuracy: { value: 0.6 }
          resources: { cpuCores: [${SHARE}] }
          profile: [{ cpuCores: 1, batchSize: 1, meanMs: 30 }]
`);
const limited = withCpuPolicy(unlimited, [], { leastCpuCores: 0, hasCpuLimits: true });

const runs = {
  stages: {
    [detect]: [{ variantId: variantId('small'), resources: { cpuCores: SHARE }, replicas: 2, maxBatchSize: 1 }],
  },
} as unknown as Plan;

/** `count` batches in a minute, of `meanMs` each. */
const measured = (count: number, meanMs: number, more: Partial<MeasuredBatches> = {}): MeasuredBatches => {
  const batches = [{ stage: 'detect', variant: 'small', count, items: count, serviceS: (count * meanMs) / 1000 }];
  return { spec: limited, counted: { batches, seconds: 60 }, runs, routers: 1, ...more };
};

describe('batches of pods with a CPU limit', () => {
  it('that use up their quota are as profiled', () => {
    const busy = measured(600, 200);
    expect(profileIssue({ ...busy, isOff: false })).toBeUndefined();
    const [{ serviceMs = [] } = {}] = observedBatches(busy);
    expect((serviceMs[0] ?? 0) / 30).toBeCloseTo(1, 1);
  });

  it('that take as long without using up their quota need more than is profiled', () => {
    const issue = profileIssue({ ...measured(20, 600), isOff: false });
    expect(issue?.message).toMatch(/take 600 ms, without pauses of the CPU limit \d+ ms, \d\.\d times the 30 ms/);
  });

  it('of several routers share their replicas', () => {
    const [one] = observedBatches(measured(600, 200));
    const [four] = observedBatches(measured(600, 200, { routers: 4 }));
    expect(four?.serviceMs[0]).toBeGreaterThan(one?.serviceMs[0] ?? 0);
  });
});

it('takes the times of pods without a CPU limit as they are', () => {
  const busy = measured(600, 200, { spec: unlimited });
  expect(observedBatches(busy)[0]?.serviceMs[0]).toBeCloseTo(200);
  expect(profileIssue({ ...busy, isOff: false })?.message).toMatch(/take 200 ms, 6\.7 times the 30 ms/);
});
