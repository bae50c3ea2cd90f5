import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AdminBench } from './admin-server.test-support.js';
import { readPageFiles } from './page-files.js';

const SCRIPT = `console.log('${'x'.repeat(2000)}')`;

describe('the page of the admin port', () => {
  let folder: string;
  const opened: AdminBench[] = [];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'equipoise-page-'));
    mkdirSync(join(folder, 'assets'));
    writeFileSync(join(folder, 'index.html'), '<!doctype html>');
    writeFileSync(join(folder, 'assets', 'index-a1.js'), SCRIPT);
    writeFileSync(join(folder, 'assets', 'index-a1.css'), 'body{}');
    writeFileSync(join(folder, 'licenses.md'), 'not served');
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((bench) => bench.close()));
    rmSync(folder, { recursive: true });
  });

  const open = async (token?: string): Promise<AdminBench> => {
    const bench = new AdminBench();
    opened.push(bench);
    return bench.start({ pageFolder: folder, ...(token !== undefined && { token }) });
  };

  it('is at /, with its assets, their types and how long they may be kept', async () => {
    const bench = await open();
    const facts = async (path: string) => {
      const { status, headers, text } = await bench.get(path);
      return [status, headers['content-type'], headers['cache-control'], text];
    };
    expect(await facts('/')).toEqual([200, 'text/html; charset=utf-8', 'no-cache', '<!doctype html>']);
    const kept = 'public, max-age=31536000, immutable';
    expect(await facts('/assets/index-a1.js')).toEqual([200, 'text/javascript; charset=utf-8', kept, SCRIPT]);
    expect(await facts('/assets/index-a1.css')).toEqual([200, 'text/css; charset=utf-8', kept, 'body{}']);
    expect((await bench.get('/licenses.md')).status).toBe(404);
    expect((await bench.get('/assets/../index.html')).status).toBe(404);
    expect((await bench.post('/')).status).toBe(405);
  });

  it('allows scripts, styles and data from this port only, and no frame around it', async () => {
    const { headers } = await (await open()).get('/');
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|\*|https?:/);
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' });
  });

  it('answers 304 if the browser has the file, and HEAD without a body', async () => {
    const bench = await open();
    const { headers } = await bench.get('/');
    const etag = String(headers.etag);
    const again = await bench.get('/', { 'if-none-match': `"other", W/${etag}` });
    expect([again.status, again.text, again.headers.etag]).toEqual([304, '', etag]);
    expect((await bench.get('/', { 'if-none-match': '"other"' })).status).toBe(200);
    const head = await bench.send({ method: 'HEAD', path: '/' });
    expect([head.status, head.text, head.headers['content-length']]).toEqual([200, '', '15']);
  });

  it('is compressed for who accepts that', async () => {
    const bench = await open();
    const sizes = new Map<string, unknown>();
    for (const accepted of ['gzip, deflate, br', 'gzip;q=0', 'br', '*'])
      sizes.set(
        accepted,
        (await bench.send({ method: 'HEAD', path: '/assets/index-a1.js', headers: { 'accept-encoding': accepted } }))
          .headers['content-encoding'],
      );
    expect(Object.fromEntries(sizes)).toEqual({
      ...{ 'gzip, deflate, br': 'gzip', 'gzip;q=0': undefined, br: undefined, '*': 'gzip' },
    });
    const [file] = readPageFiles(folder).filter(({ path }) => path.endsWith('.js'));
    expect(gunzipSync(file?.gzipped ?? new Uint8Array()).toString()).toBe(SCRIPT);
  });

  it('needs no token, its data does', async () => {
    const bench = await open('sesame');
    expect((await bench.get('/')).status).toBe(200);
    expect((await bench.get('/admin/pipelines')).status).toBe(401);
  });

  it('is not for pages of other sites, but a link to it works', async () => {
    const bench = await open();
    const from = async (headers: Record<string, string>) => (await bench.get('/', headers)).status;
    const foreign = { 'sec-fetch-site': 'cross-site' };
    expect(await from({ ...foreign, 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'script' })).toBe(403);
    expect(await from({ ...foreign, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' })).toBe(403);
    expect(await from({ ...foreign, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' })).toBe(200);
    expect(await from({ host: 'elsewhere.example' })).toBe(403);
  });

  it('is unknown before it is built', async () => {
    rmSync(folder, { recursive: true });
    mkdirSync(folder);
    expect((await (await open()).get('/')).status).toBe(404);
    expect(readPageFiles(join(folder, 'none'))).toEqual([]);
  });

  it('is refused if it is not a page but a folder of many files', () => {
    for (let i = 0; i < 70; i++) writeFileSync(join(folder, `${i}.js`), '');
    expect(() => readPageFiles(folder)).toThrow(/has 73 files of \d+ bytes; at most 64 files/);
  });
});
