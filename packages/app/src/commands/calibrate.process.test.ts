import { mkdirSync } from 'node:fs';
import { afterAll, expect, it } from 'vitest';
import { documentOf, equipoise, RunningCommand, syntheticPipeline, TestFolder } from '../equipoise.test-support.js';

const folder = new TestFolder();
const calibrate = (...args: string[]) => equipoise(folder.path, 'calibrate', ...args);
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
    'waits.yaml',
    `apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: waits }
spec:
  slo: { latencyMs: 60 }
  budget: { cpuCores: 1 }
  stages: [{ name: wait, variants: [{ name: only, accuracy: { value: 1 }, profile: [{ cpuCores: 1, batchSize: 1, meanMs: 4 }] }] }]
`,
  );
  const ended = await calibrate('waits.yaml', '--duration-s', '2', '--json');
  expect(ended.exitCode, ended.stderr).toBe(0);
  expect(ended.stderr).toContain('calibrating');
  const { plans, stored, ...rest } = documentOf(ended) as Document;
  // A profile in the pipeline file takes no correction.
  expect(stored).toBe(false);
  expect(Object.keys(rest)).toEqual(['corrections', 'trust', 'machine']);
  expect(plans.map(({ stages }) => stages['wait']?.[0]?.variantId)).toEqual(['only']);
  const loads = plans.flatMap((plan) => plan.loads);
  expect(loads.map(({ load }) => load)).toEqual([0.3, 0.5, 0.7, 0.85, 'saturation', 1.1]);
  for (const { requests, served, simulated } of loads) {
    expect(requests).toBeGreaterThanOrEqual(30);
    expect(Object.keys(served)).toEqual(['p50Ms', 'p99Ms', 'droppedFraction', 'completedRps']);
    expect(Object.keys(simulated)).toEqual(Object.keys(served));
  }
});

it('says at Ctrl-C that nothing is stored', async () => {
  const command = new RunningCommand(folder.path, ['calibrate', 'waits.yaml', '--json']);
  await command.said(/^calibrating \d/m);
  command.signal('SIGINT');
  const ended = await command.ended;
  expect(ended).toMatchObject({ exitCode: 3, signal: null });
  expect(documentOf(ended)).toMatchObject({
    error: { code: 'INTERRUPTED', message: 'Stopped. No correction is stored.' },
  });
});

it('names the command that measures a missing profile', async () => {
  mkdirSync(`${folder.path}/samples`);
  folder.write('samples/one.txt', 'text');
  folder.write('stage.mjs', 'export function load() { return { run: (batch) => batch }; }');
  folder.write(
    'unprofiled.yaml',
    `apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: unprofiled }
spec:
  slo: { latencyMs: 100 }
  sources: [{ name: text, datatype: BYTES, shape: [1], contentTypes: [text/plain], samples: ./samples }]
  stages: [{ name: echo, module: ./stage.mjs, variants: [{ name: only, accuracy: { value: 1 } }] }]
`,
  );
  const { exitCode, stderr, stdout } = await calibrate('unprofiled.yaml');
  expect(exitCode).toBe(1);
  expect(stdout).toBe('');
  expect(stderr).toContain('variant only of stage echo has no profile; run `equipoise profile`');
});

it('refuses several sources', async () => {
  folder.write(
    'joined.yaml',
    syntheticPipeline({
      spec: `sources:
    - { name: left, datatype: BYTES, shape: [1], to: [detect] }
    - { name: right, datatype: BYTES, shape: [1], to: [detect] }`,
    }),
  );
  const { exitCode, stderr } = await calibrate('joined.yaml');
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/2 sources; expected one/);
});

it('removes nothing where no correction is stored', async () => {
  folder.write('pipeline.yaml', syntheticPipeline());
  const { exitCode, stdout } = await calibrate('pipeline.yaml', '--forget', '--json');
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout)).toEqual({ removed: [] });
});

it('wants a positive duration', async () => {
  const { exitCode, stderr } = await calibrate('pipeline.yaml', '--duration-s', '0');
  expect(exitCode).toBe(2);
  expect(stderr).toContain('--duration-s');
});
