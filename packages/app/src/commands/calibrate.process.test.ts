import { afterAll, expect, it } from 'vitest';
import { documentOf, equipoise, TestFolder } from '../equipoise.test-support.js';

const folder = new TestFolder();
afterAll(() => folder.remove());

interface Document {
  readonly plans: {
    stages: Record<string, { variantId: string }[]>;
    loads: { load: unknown; requests: number; served: object; simulated: object }[];
  }[];
  readonly stored: boolean;
}

it('serves a pipeline at several loads and compares estimate, simulation and service', async () => {
  folder.write(
    'pipeline.yaml',
    `apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: waits }
spec:
  slo: { latencyMs: 60 }
  budget: { cpuCores: 1 }
  stages: [{ name: wait, variants: [{ name: only, accuracy: { value: 1 }, profile: [{ cpuCores: 1, batchSize: 1, meanMs: 4 }] }] }]
`,
  );
  const ended = await equipoise(folder.path, 'calibrate', 'pipeline.yaml', '--duration-s', '2', '--json');
  expect(ended.exitCode, ended.stderr).toBe(0);
  expect(ended.stderr).toContain('calibrating');
  const { plans, stored, ...rest } = documentOf(ended) as Document;
  // A profile in the pipeline file takes no correction.
  expect(stored).toBe(false);
  expect(Object.keys(rest)).toEqual(['corrections', 'trust']);
  expect(plans.map(({ stages }) => stages['wait']?.[0]?.variantId)).toEqual(['only']);
  const loads = plans.flatMap((plan) => plan.loads);
  expect(loads.map(({ load }) => load)).toEqual([0.3, 0.5, 0.7, 0.85, 'saturation', 1.1]);
  for (const { requests, served, simulated } of loads) {
    expect(requests).toBeGreaterThanOrEqual(30);
    expect(Object.keys(served)).toEqual(['p50Ms', 'p99Ms', 'droppedFraction', 'completedRps']);
    expect(Object.keys(simulated)).toEqual(Object.keys(served));
  }
});
