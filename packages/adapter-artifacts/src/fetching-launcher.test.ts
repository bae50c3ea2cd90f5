import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { LaunchRequest, ReplicaLauncher } from '@equipoise/core/ports';
import { launchRequestOf, stageNamed, variantNamed } from '@equipoise/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ArtifactCache } from './artifact-cache.js';
import { FetchingLauncher } from './fetching-launcher.js';
import { type FileServer, gives, startFileServer } from './file-server.test-support.js';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

let server: FileServer;
let folder: string;
let launched: (string | undefined)[];

const inner: ReplicaLauncher = {
  launch: async ({ variant }) => {
    launched.push(variant.artifact);
    return { runner: undefined as never, loadMs: 0 };
  },
};

beforeEach(async () => {
  server = await startFileServer();
  folder = await mkdtemp(join(tmpdir(), 'artifacts-'));
  launched = [];
});

afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

const launcher = () =>
  new FetchingLauncher(inner, {
    cache: new ArtifactCache({ folder, environment: {}, limits: { retryDelaysMs: [] } }),
    locate: (reference, baseDir) => resolve(baseDir, reference),
  });

function requestOf(artifact: string | undefined, artifactSha256?: string): LaunchRequest {
  const variant = variantNamed('small', {
    ...(artifact !== undefined && { artifact }),
    ...(artifactSha256 !== undefined && { artifactSha256 }),
  });
  return launchRequestOf(stageNamed('detect', [variant]), { baseDir: folder });
}

describe('FetchingLauncher', () => {
  it('launches with the fetched file in place of the address', async () => {
    server.behave(gives('weights'));
    await launcher().launch(requestOf(`${server.url}/a.onnx`));
    expect(launched).toEqual([expect.stringMatching(/^\/.*a\.onnx$/)]);
  });

  it('launches nothing without the artifact', async () => {
    await expect(launcher().launch(requestOf(`${server.url}/a.onnx`))).rejects.toMatchObject({
      code: 'ARTIFACT_UNAVAILABLE',
    });
    expect(launched).toEqual([]);
  });

  it('holds a local file against its stated digest, each time that it changes', async () => {
    await writeFile(join(folder, 'a.onnx'), 'weights');
    const checking = launcher();
    await checking.launch(requestOf('a.onnx', sha256('weights')));
    expect(launched).toEqual(['a.onnx']);
    await writeFile(join(folder, 'a.onnx'), 'forged ones');
    await expect(checking.launch(requestOf('a.onnx', sha256('weights')))).rejects.toMatchObject({
      code: 'ARTIFACT_CHANGED',
    });
  });

  it('leaves a file that is not there, and a variant without one, to the launcher', async () => {
    await launcher().launch(requestOf('absent.onnx', sha256('weights')));
    await launcher().launch(requestOf(undefined));
    expect(launched).toEqual(['absent.onnx', undefined]);
  });
});
