import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentOf, syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { equipoiseHere } from '../run-here.test-support.js';

const folder = new TestFolder();
const pipeline = (...args: string[]) => equipoiseHere(folder.path, 'k8s', 'pipeline', ...args);

interface Printed {
  readonly metadata: { readonly annotations?: unknown; readonly namespace?: string };
  readonly spec: { readonly control?: unknown };
}

beforeAll(() => {
  folder.write('pipeline.yaml', `# as it was written\n${syntheticPipeline()}`);
});
afterAll(() => folder.remove());

describe('equipoise k8s pipeline', { timeout: 60_000 }, () => {
  it('prints the file as it was written, in a namespace, with load and images for the operator', async () => {
    const flags = ['--namespace', 'models', '--arrival-rps', '40', '--image', 'all:1', '--image', 'detect=own:2'];
    const [text, json] = await Promise.all([
      pipeline('pipeline.yaml', ...flags),
      pipeline('pipeline.yaml', ...flags, '--json'),
    ]);
    expect(text).toMatchObject({ exitCode: 0, stderr: '' });
    expect(text.stdout).toMatch(/^# as it was written\n/);
    const { metadata, spec } = documentOf(json) as Printed;
    const annotations = { 'equipoise.dev/arrival-rps': '40', 'equipoise.dev/images': 'all:1 detect=own:2' };
    expect(metadata).toEqual({ name: 'synthetic', namespace: 'models', annotations });
    // On a cluster the mode is `advise` unless the file says otherwise.
    expect(spec.control).toBeUndefined();
  });

  it('says which command measures what is missing', async () => {
    await equipoiseHere(folder.path, 'init', 'fresh');
    const missing = await pipeline('fresh/pipeline.yaml');
    expect(missing).toMatchObject({ exitCode: 1, stdout: '' });
    expect(missing.stderr).toContain('PROFILE_MISSING');
  });

  it('refuses an image for a stage that there is not', async () => {
    const ended = await pipeline('pipeline.yaml', '--image', 'clasify=x:1');
    expect(ended).toMatchObject({ exitCode: 2, stdout: '' });
    expect(ended.stderr).toContain('There is no stage or variant clasify');
  });
});
