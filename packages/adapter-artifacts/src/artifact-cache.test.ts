import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ArtifactCache, type FetchLimits } from './artifact-cache.js';
import {
  type Behaviour,
  type FileServer,
  gives,
  givesTagged,
  refuses,
  startFileServer,
} from './file-server.test-support.js';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

let server: FileServer;
let folder: string;
let warnings: string[];
let progress: number[];

/** Cache of a freshly started process. */
const freshCache = (limits: Partial<FetchLimits> = {}): ArtifactCache =>
  new ArtifactCache({
    ...{ folder, environment: {} },
    limits: { retryDelaysMs: [1, 1], ...limits },
    onWarning: (message) => warnings.push(message),
    onProgress: (_, { doneBytes }) => progress.push(doneBytes),
  });

beforeEach(async () => {
  server = await startFileServer();
  folder = await mkdtemp(join(tmpdir(), 'artifacts-'));
  warnings = [];
  progress = [];
});

afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

const modelUrl = () => `${server.url}/models/a.onnx`;

/** Leftover partial files. */
const leftOver = async (): Promise<readonly string[]> => readdir(join(folder, 'parts')).catch(() => []);

describe('ArtifactCache', () => {
  it('fetches once for all who ask, under its own name', async () => {
    server.behave(gives('weights'));
    const cache = freshCache();
    const paths = await Promise.all([cache.path(modelUrl()), cache.path(modelUrl())]);
    expect(await readFile(paths[0] as string, 'utf8')).toBe('weights');
    expect(basename(paths[0] as string)).toBe('a.onnx');
    expect(paths[1]).toBe(paths[0]);
    expect(cache.keptPath(modelUrl())).toBe(paths[0]);
    expect(server.requests).toHaveLength(1);
    expect(progress.at(-1)).toBe(7);
    expect(await leftOver()).toEqual([]);
  });

  it('asks after a start whether what is kept still holds', async () => {
    server.behave(givesTagged('one', '"1"'));
    const first = await freshCache().path(modelUrl());
    expect(await freshCache().path(modelUrl())).toBe(first);
    expect(server.requests[1]?.headers['if-none-match']).toBe('"1"');
    server.behave(givesTagged('two', '"2"'));
    const second = await freshCache().path(modelUrl());
    expect(await readFile(second, 'utf8')).toBe('two');
    expect(await readFile(first, 'utf8')).toBe('one');
  });

  it('asks nobody for what has a stated digest and is kept', async () => {
    server.behave(gives('weights'));
    const first = await freshCache().path(modelUrl(), sha256('weights'));
    await server.close();
    expect(await freshCache().path(modelUrl(), sha256('weights'))).toBe(first);
    server = await startFileServer();
  });

  it('uses the kept copy with a warning when nobody answers', async () => {
    server.behave(gives('weights'));
    const first = await freshCache().path(modelUrl());
    server.behave(refuses(503));
    expect(await freshCache().path(modelUrl())).toBe(first);
    expect(warnings).toEqual([expect.stringMatching(/cannot be fetched: 503.* The cached copy is used\.$/)]);
  });

  it('uses the kept copy with a warning when the folder cannot be written, and without one says why', async () => {
    server.behave(gives('weights'));
    const first = await freshCache().path(modelUrl());
    await rm(join(folder, 'parts'), { recursive: true });
    await writeFile(join(folder, 'parts'), 'no folder');
    expect(await freshCache().path(modelUrl())).toBe(first);
    expect(warnings).toEqual([
      expect.stringMatching(/cannot be kept in the cache: EEXIST.* The cached copy is used\.$/),
    ]);
    await expect(freshCache().path(`${server.url}/b`)).rejects.toMatchObject({ code: 'ARTIFACT_UNAVAILABLE' });
  });

  it('takes no 304 for content that it has not asked for', async () => {
    server.behave(refuses(304));
    await expect(freshCache().path(modelUrl())).rejects.toMatchObject({
      code: 'ARTIFACT_UNAVAILABLE',
      details: { status: 304 },
    });
  });

  it('says that an artifact is neither to be had nor kept, and asks again the next time', async () => {
    const url = modelUrl();
    await server.close();
    const cache = freshCache();
    await expect(cache.path(url)).rejects.toMatchObject({
      code: 'ARTIFACT_UNAVAILABLE',
      message: expect.stringContaining('ECONNREFUSED'),
    });
    server = await startFileServer();
    server.behave(gives('weights'));
    await expect(cache.path(modelUrl())).resolves.toMatch(/a\.onnx$/);
  });

  it('tries again what may pass, and nothing else', async () => {
    server.behave(refuses(500), refuses(429), gives('weights'));
    await expect(freshCache().path(modelUrl())).resolves.toMatch(/a\.onnx$/);
    expect(server.requests).toHaveLength(3);
    server.behave(refuses(404));
    await expect(freshCache().path(`${server.url}/b`)).rejects.toMatchObject({ details: { status: 404 } });
    expect(server.requests).toHaveLength(4);
  });

  it('refuses another content than the stated one and keeps nothing of it', async () => {
    server.behave(gives('forged'));
    const cache = freshCache();
    await expect(cache.path(modelUrl(), sha256('weights'))).rejects.toMatchObject({
      code: 'ARTIFACT_CHANGED',
      details: { found: sha256('forged'), stated: sha256('weights') },
    });
    expect(cache.keptPath(modelUrl())).toBeUndefined();
    expect(await leftOver()).toEqual([]);
  });

  it('fetches again what is damaged on the disk', async () => {
    server.behave(gives('weights'));
    const path = await freshCache().path(modelUrl(), sha256('weights'));
    await writeFile(path, 'weighty');
    expect(await readFile(await freshCache().path(modelUrl(), sha256('weights')), 'utf8')).toBe('weights');
    expect(warnings).toEqual([expect.stringContaining('is corrupt')]);
  });

  it('gives up what is too large, said or unsaid', async () => {
    server.behave(gives('weights'));
    await expect(freshCache({ maxBytes: 6 }).path(modelUrl())).rejects.toThrow('more than 6 bytes');
    server.behave((_, response) => {
      response.writeHead(200);
      response.end('weights');
    });
    await expect(freshCache({ maxBytes: 6 }).path(modelUrl())).rejects.toThrow('more than 6 bytes');
    expect(server.requests).toHaveLength(2);
    expect(await leftOver()).toEqual([]);
  });

  it('gives up a server that falls silent, and what ends too early', async () => {
    server.behave((_, response) => {
      response.writeHead(200, { 'content-length': '7' });
      response.write('wei');
    });
    await expect(freshCache({ maxSilenceMs: 50 }).path(modelUrl())).rejects.toThrow('no byte for 0.05 s');
    server.behave((_, response) => {
      response.writeHead(200, { 'content-length': '7' });
      response.write('wei', () => response.destroy());
    });
    await expect(freshCache().path(modelUrl())).rejects.toMatchObject({ code: 'ARTIFACT_UNAVAILABLE' });
    expect(await leftOver()).toEqual([]);
  });

  const to =
    (location: string | undefined, status = 302): Behaviour =>
    (_, response) => {
      response.writeHead(status, location === undefined ? {} : { location });
      response.end();
    };

  it.each([301, 302, 303, 307, 308])(
    'follows a redirect with %i, relative or not, under its first name',
    async (status) => {
      server.behave(to('/elsewhere/b.bin', status), to(`${server.url}/at/last`, status), gives('weights'));
      expect(basename(await freshCache().path(modelUrl()))).toBe('a.onnx');
      expect(server.requests.map(({ url }) => url)).toEqual(['/models/a.onnx', '/elsewhere/b.bin', '/at/last']);
    },
  );

  it.each([
    ['another machine over http:', 'http://169.254.169.254/latest/meta-data', 'http: is taken from this machine alone'],
    ['credentials', 'https://user:secret@host/x', 'its URL holds credentials'],
    ['a file', 'file:///etc/passwd', 'it is not a web address'],
    ['content in the address', 'data:text/plain,x', 'it is not a web address'],
    ['no valid URL', 'http://', 'redirects to no valid URL'],
    ['nowhere', undefined, 'redirects to no valid URL'],
  ])('refuses a redirect to %s', async (_, location, message) => {
    server.behave(to(location), gives('stolen'));
    await expect(freshCache().path(modelUrl())).rejects.toMatchObject({
      code: 'ARTIFACT_UNAVAILABLE',
      message: expect.stringContaining(message),
    });
    expect(server.requests).toHaveLength(1);
  });

  it('follows five redirects and no sixth', async () => {
    server.behave(...Array.from({ length: 5 }, () => to('/again')), gives('weights'));
    await freshCache().path(modelUrl());
    server.behave(to('/again'));
    await expect(freshCache().path(`${server.url}/b`)).rejects.toThrow('redirected more than 5 times');
    expect(server.requests).toHaveLength(6 + 6);
  });

  it('follows no redirect with a signed request', async () => {
    const keys = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', AWS_SESSION_TOKEN: 'c' };
    const environment = { ...keys, AWS_ENDPOINT_URL: server.url };
    server.behave(to('/elsewhere', 307));
    await expect(new ArtifactCache({ folder, environment }).path('s3://models/a.onnx')).rejects.toMatchObject({
      code: 'ARTIFACT_UNAVAILABLE',
      message: expect.stringContaining('a signed request follows no redirect'),
    });
    expect(server.requests).toHaveLength(1);
  });

  it('takes a note that cannot be read for none', async () => {
    server.behave(gives('weights'));
    const path = await freshCache().path(modelUrl());
    const [note = ''] = await readdir(join(folder, 'addresses'));
    await writeFile(join(folder, 'addresses', note), '{"sha256": ');
    expect(await freshCache().path(modelUrl())).toBe(path);
  });
});
