import { describe, expect, it } from 'vitest';
import { specOf } from '../render/render-request.test-support.js';
import { withCpuFloor, withCpuPolicy } from './cpu-policy.js';

const pipeline = (cpuCores: string, more = '', profiled = 1) =>
  specOf(`apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: p }
spec:
  slo: { latencyMs: 400 }
  stages:
    - name: detect
      ${more}
      variants:
        - name: small
          accuracy: { value: 0.6 }
          resources: { cpuCores: ${cpuCores} }
          profile: [{ cpuCores: ${profiled}, batchSize: 1, meanMs: 20 }]
`);

const coresOf = (spec: ReturnType<typeof specOf>, floor = 0.25) =>
  withCpuFloor(spec, [], floor).stages[0]?.variants[0]?.cpuCores;

describe('withCpuFloor', () => {
  it.each([
    ['leaves out smaller options', '[0.05, 0.25, 1]', 0.25, [0.25, 1]],
    ['raises the only options', '[0.05, 0.1]', 0.25, [0.25]],
    ['rounds up to a step', '[0.05, 1]', 0.07, [1]],
    ['is switched off by 0', '[0.05]', 0, [0.05]],
  ])('%s', (_, cores, floor, expected) => {
    expect(coresOf(pipeline(cores), floor)).toEqual(expected);
  });

  it('keeps pinned cores, and the largest option if the floor has no profile', () => {
    expect(coresOf(pipeline('[0.05, 1]', 'pins: { cpuCores: 0.05 }'))).toEqual([0.05, 1]);
    expect(coresOf(pipeline('[0.05, 0.1]', '', 0.1))).toEqual([0.1]);
  });

  it('keeps the cores of a server of its own', () => {
    const spec = pipeline('[0.05]');
    const [stage] = spec.stages;
    const variants = (stage?.variants ?? []).map((variant) => ({
      ...variant,
      server: { urls: ['http://s'], model: 'm' },
    }));
    const served = { ...spec, stages: [{ ...stage, variants }] } as unknown as typeof spec;
    expect(coresOf(served)).toEqual([0.05]);
  });
});

describe('withCpuPolicy', () => {
  it.each([
    ['under the quotas of CPU limits', true, 100],
    ['without CPU limits', false, undefined],
  ])('plans for pods %s', (_, hasCpuLimits, periodMs) => {
    const spec = withCpuPolicy(pipeline('[0.05, 0.25]'), [], { leastCpuCores: 0.25, hasCpuLimits });
    expect(spec.cpuQuotaPeriodMs).toBe(periodMs);
    expect(spec.stages[0]?.variants[0]?.cpuCores).toEqual([0.25]);
  });
});
