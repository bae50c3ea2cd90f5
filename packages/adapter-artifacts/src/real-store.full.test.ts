/** Third-party store (moto) that checks signatures like AWS. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeWithTool } from '@equipoise/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ArtifactCache } from './artifact-cache.js';

const cacheFolder = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
const installed = process.env['EQUIPOISE_REAL_CLIENTS_DIR'] ?? join(cacheFolder, 'equipoise', 'real-clients');
const realClients = {
  name: 'real-clients',
  missing: 'scripts/real-clients/install',
  isPresent: () => existsSync(join(installed, 'installed')),
};

interface Store {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

describeWithTool(realClients, 'an S3-compatible store', () => {
  const key = "some folder/c's+é.onnx";
  let child: ChildProcess;
  let store: Store;
  let folder: string;

  beforeAll(async () => {
    const program = fileURLToPath(new URL('./real-store/moto_store.py', import.meta.url));
    child = spawn(join(installed, 'bin', 'python'), [program, key, 'weights'], { stdio: ['pipe', 'pipe', 'ignore'] });
    const [line] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
    store = JSON.parse(line.toString()) as Store;
    folder = await mkdtemp(join(tmpdir(), 'store-'));
  }, 60_000);

  afterAll(async () => {
    child.stdin?.end();
    await rm(folder, { recursive: true });
  });

  const cacheWith = (secretAccessKey: string | undefined) =>
    new ArtifactCache({
      folder,
      environment: {
        AWS_ENDPOINT_URL: store.endpoint,
        AWS_REGION: 'eu-central-1',
        AWS_ACCESS_KEY_ID: store.accessKeyId,
        AWS_SECRET_ACCESS_KEY: secretAccessKey,
      },
      limits: { retryDelaysMs: [] },
    });

  it.each([['another secret'], [undefined]])('gives nothing to who signs with %s', async (secret) => {
    await expect(cacheWith(secret).path(`s3://models/${key}`)).rejects.toMatchObject({
      code: 'ARTIFACT_UNAVAILABLE',
      message: expect.stringContaining('AWS_ACCESS_KEY_ID'),
      details: { status: 403 },
    });
  });

  it('gives an object to who has the keys, and asks by its tag the next time', async () => {
    const path = await cacheWith(store.secretAccessKey).path(`s3://models/${key}`);
    expect(await readFile(path, 'utf8')).toBe('weights');
    expect(await cacheWith(store.secretAccessKey).path(`s3://models/${key}`)).toBe(path);
  });

  it('names an object that is not there', async () => {
    await expect(cacheWith(store.secretAccessKey).path('s3://models/absent')).rejects.toMatchObject({
      details: { status: 404 },
    });
  });
});
