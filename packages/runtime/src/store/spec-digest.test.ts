import { variantId } from '@equipoise/core/model';
import { describe, expect, it } from 'vitest';
import { pipeline, stage, variant } from '../profiling/profile-pipeline.test-support.js';
import { specDigest } from './spec-digest.js';

const spec = pipeline([
  stage('a', [variant('v', { accuracy: { value: 0.5, metric: 'f1' } })]),
  stage('b', [variant('w')]),
]);
const digest = specDigest(spec);
const first = variant('v', { accuracy: { value: 0.5, metric: 'f1' } });
const [a, b] = spec.stages as [(typeof spec.stages)[0], (typeof spec.stages)[0]];

describe('specDigest', () => {
  it('does not depend on the order of fields, nor on what no plan depends on', () => {
    expect(specDigest({ ...Object.fromEntries(Object.entries(spec).reverse()), name: 'toy' } as typeof spec)).toBe(
      digest,
    );
    expect(specDigest({ ...spec, baseDir: '/elsewhere', admission: { maxQueueLength: 9 } })).toBe(digest);
    expect(specDigest({ ...spec, stages: [{ ...a, module: './moved.js' }, b] })).toBe(digest);
    expect(specDigest({ ...spec, control: { ...spec.control, intervalMs: 1 } })).toBe(digest);
  });

  it.each([
    ['slo', { slo: { latencyMs: 1, percentile: 99 } }],
    ['budget', { budget: { cpuCores: 1 } }],
    ['objective', { objective: { kind: 'min-cost', accuracyFloor: 0.5 } as const }],
    ['a stage', { stages: [a] }],
    ['a variant', { stages: [{ ...a, variants: [{ ...first, id: variantId('x') }] }, b] }],
    ['cores', { stages: [{ ...a, variants: [{ ...first, cpuCores: [2] }] }, b] }],
    ['an accuracy', { stages: [{ ...a, variants: [{ ...first, accuracy: { value: 0.6, metric: 'f1' } }] }, b] }],
    ['bounds', { stages: [{ ...a, bounds: { ...a.bounds, maxReplicas: 1 } }, b] }],
    ['pins', { stages: [{ ...a, pins: { replicas: 1 } }, b] }],
    ['edges', { edges: [] }],
    ['nodes', { nodes: [{ cpuCores: 1, memoryBytes: 1, gpus: 0, count: 1 }] }],
  ])('changes with %s', (_, change) => {
    expect(specDigest({ ...spec, ...change })).not.toBe(digest);
  });
});
