import { mkdirSync } from 'node:fs';
import { afterAll, expect, it } from 'vitest';
import { syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { equipoiseHere } from '../run-here.test-support.js';

const folder = new TestFolder();
const calibrate = (...args: string[]) => equipoiseHere(folder.path, 'calibrate', ...args);
afterAll(() => folder.remove());

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
