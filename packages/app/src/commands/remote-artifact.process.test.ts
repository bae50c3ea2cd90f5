/** Remote model: fetched by `profile`, found by `plan`, used without the network, rejected if it has changed. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentOf, equipoise, TestFolder } from '../equipoise.test-support.js';
import { equipoiseHere } from '../run-here.test-support.js';

const folder = new TestFolder();
const model = readFileSync(
  fileURLToPath(new URL('../../../adapter-embedded/src/fixtures/affine.onnx', import.meta.url)),
);
let server: Server;
let url: string;

const pipeline = (name: string, variant: string) => `apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: ${name} }
spec:
  slo: { latencyMs: 400 }
  sources: [{ name: features, datatype: FP32, shape: [3], samples: ./samples }]
  stages:
    - name: score
      module: npm:@equipoise/adapter-onnx/stage
      bounds: { batchSizes: [1] }
      variants: [{ name: only, ${variant}, accuracy: { value: 0.5 }, resources: { cpuCores: [1] } }]
`;

beforeAll(async () => {
  process.env['EQUIPOISE_CACHE_DIR'] = join(folder.path, 'cache');
  server = createServer((_, response) => response.end(model));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/affine.onnx`;
  mkdirSync(join(folder.path, 'samples'));
  folder.write(join('samples', 'one.json'), JSON.stringify({ features: [1, 2, 3] }));
  folder.write('remote.yaml', pipeline('remote', `artifact: "${url}"`));
  folder.write('stated.yaml', pipeline('stated', `artifact: "${url}", artifactSha256: "${'0'.repeat(64)}"`));
  const digest = createHash('sha256').update(model).digest('hex');
  folder.write('right.yaml', pipeline('right', `artifact: "${url}", artifactSha256: "${digest}"`));
});

afterAll(async () => {
  server.close();
  await folder.remove();
});

const profiled = (file: string) => equipoiseHere(folder.path, 'profile', file, '--quick', '--json');
/** On a busy machine a quick profile may cause a warning about its precision, but no other. */
async function planned(file: string) {
  const { exitCode, stderr } = await equipoiseHere(
    ...([folder.path, 'plan', file, '--arrival-rps', '5', '--no-verify', '--json'] as const),
  );
  return { exitCode, stderr: stderr.replace(/^warning uncertain mean service time: .*\n/, '') };
}

describe('a model behind an address', () => {
  it('is not run when it is another one than the stated one', async () => {
    const ended = await profiled('stated.yaml');
    expect(ended.exitCode).toBe(3);
    expect(documentOf(ended)).toMatchObject({ error: { code: 'ARTIFACT_CHANGED' } });
  });

  it('is fetched and measured, and its profile holds for plans', { timeout: 60_000 }, async () => {
    const ended = await profiled('remote.yaml');
    expect(ended.exitCode, ended.stderr).toBe(0);
    expect(await planned('remote.yaml')).toMatchObject({ exitCode: 0, stderr: '' });
  });

  it('is used from the cache when the network is gone, with a word about it', { timeout: 60_000 }, async () => {
    await new Promise((resolve) => server.close(resolve));
    // Another process, because this one has fetched the model and sends no more requests.
    const ended = await equipoise(folder.path, 'profile', 'remote.yaml', '--quick', '--json', '--force');
    expect(ended.exitCode, ended.stderr).toBe(0);
    expect(ended.stderr).toContain('The cached copy is used.');
    const stated = await profiled('right.yaml');
    expect(stated).toMatchObject({ exitCode: 0, stderr: expect.not.stringContaining('warning') });
    expect(await planned('right.yaml')).toMatchObject({ exitCode: 0, stderr: '' });
  });

  it('that is neither here nor there is named', async () => {
    folder.write('absent.yaml', pipeline('absent', `artifact: "${url}/other"`));
    const ended = await profiled('absent.yaml');
    expect(ended.exitCode).toBe(3);
    expect(documentOf(ended)).toMatchObject({
      error: { code: 'ARTIFACT_UNAVAILABLE', message: expect.stringContaining('ECONNREFUSED') },
    });
  });
});
