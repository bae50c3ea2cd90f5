/** `equipoise experiment` with users' policies that do harm. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentOf, syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { equipoiseHere } from '../run-here.test-support.js';

const folder = new TestFolder();

beforeAll(() => {
  folder.write('pipeline.yaml', syntheticPipeline({ latencyMs: 20_000 }));
  folder.write(
    'grid.yaml',
    `apiVersion: equipoise.dev/v1alpha1
kind: Experiment
metadata: { name: harm }
spec:
  pipelines: [pipeline.yaml]
  loads: [{ name: steady, arrivalRps: 20, durationS: 30 }]
  policies: [static-best]
  seeds: [1, 2]
`,
  );
});

afterAll(() => folder.remove());

/** A policy that runs `body` at its second decision. */
function withPolicy(name: string, body: string) {
  const one = (variant: string) => `{ variant: '${variant}', cores: 1, batch: 1, replicas: 1 }`;
  folder.write(
    `${name}.mjs`,
    `export default { name: 'mine', begin: () => ({ atMs }) => { if (atMs > 0) { ${body} }
      return { detect: ${one('small')}, classify: ${one('only')} }; } };`,
  );
  return equipoiseHere(folder.path, 'experiment', 'grid.yaml', '--policy', `${name}.mjs`, '--json', '--threads', '2');
}

describe('equipoise experiment with a policy', () => {
  it.each([
    ['exits', 'process.exit(0);', /exits\.mjs: the policy ended its thread with exit code 0 \(at 10 s\)/],
    ['hides', "return new Proxy({}, { ownKeys() { throw new Error('hidden'); } });", /mine.*cannot be read: hidden/],
  ])('that %s: exit code 2, and a message that names it and its cell', async (name, body, message) => {
    const ended = await withPolicy(name, body);
    expect(ended.exitCode, ended.stderr).toBe(2);
    expect(documentOf(ended)).toMatchObject({
      error: {
        code: 'POLICY_FAILED',
        message: expect.stringMatching(message),
        details: { policy: 'mine', platform: 'simulator' },
      },
    });
  });

  it('that prints: one document on stdout, the rest on stderr', async () => {
    const ended = await withPolicy('prints', "console.log('noise'); console.log('last');");
    expect(ended.exitCode, ended.stderr).toBe(0);
    const { cells } = documentOf(ended) as { readonly cells: readonly { readonly policy: string }[] };
    expect(cells.map(({ policy }) => policy)).toEqual(['static-best', 'static-best', 'mine', 'mine']);
    const lines = (text: string) => ended.stderr.split(text).length - 1;
    expect(lines('noise\n')).toBeGreaterThanOrEqual(2);
    expect(lines('last\n')).toBe(lines('noise\n'));
  });

  it.runIf(process.platform === 'linux')(
    'into a folder that cannot be made: an error that names the flag',
    async () => {
      const ended = await equipoiseHere(
        folder.path,
        'experiment',
        'grid.yaml',
        '--out',
        '/proc/equipoise/out',
        '--json',
      );
      expect(ended.exitCode).toBe(3);
      expect(documentOf(ended)).toMatchObject({
        error: { code: 'STORE_FAILED', message: expect.stringContaining('Name another folder with --out.') },
      });
      const raw = await equipoiseHere(folder.path, 'experiment', 'grid.yaml', '--raw', '/proc/equipoise/raw', '--json');
      expect(documentOf(raw)).toMatchObject({
        error: { code: 'STORE_FAILED', message: expect.stringContaining('Name another folder with --raw.') },
      });
    },
  );
});
