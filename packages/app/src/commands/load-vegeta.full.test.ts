import { execFileSync } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { LoadResult } from '@equipoise/runtime';
import { describeWithTool, type Tool } from '@equipoise/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentOf, type Serving, serving, syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { equipoiseHere } from '../run-here.test-support.js';

const program = process.env['EQUIPOISE_VEGETA'] || 'vegeta';
const vegeta: Tool = {
  name: 'vegeta',
  missing: 'scripts/vegeta/install, then its path in EQUIPOISE_VEGETA',
  isPresent: () => {
    try {
      execFileSync(program, ['-version'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  },
};

const COUNTS = [10, 10, 0, 13];
const SENT = 33;

const folder = new TestFolder();

afterAll(() => folder.remove());

describeWithTool(vegeta, 'a load sent by vegeta', () => {
  let server: Serving;
  const load = (...args: string[]) => equipoiseHere(folder.path, 'load', ...args);
  const resultOf = async (...args: string[]) => documentOf(await load(...args, '--json')) as LoadResult;
  const run = (...args: string[]) => execFileSync(program, args, { cwd: folder.path, encoding: 'utf8' });
  const url = () => `${server.url}/v1/pipelines/synthetic/run`;

  beforeAll(async () => {
    folder.write('load.csv', `requests\n${COUNTS.join('\n')}\n`);
    folder.write('text.txt', 'text');
    folder.write('loaded.yaml', syntheticPipeline({ latencyMs: 9000, cpuCores: 3 }));
    server = await serving(folder.path, 'loaded.yaml', '--fixed', '--policy', 'static-best');
  });

  it('has as many successes as ours, and results that both read alike', async () => {
    const same = [url(), '--load', 'load.csv', '--arrivals', 'uniform', '--body', 'text.txt'];
    const [theirs, ours] = [
      await resultOf(...same, '--tool', 'vegeta', '--save-results', 'theirs.csv'),
      await resultOf(...same, '--save-results', 'ours.json'),
    ];
    const counts = { sent: SENT, ok: SENT, dropped: 0, failed: 0, byStatus: { 200: SENT } };
    expect(theirs).toMatchObject(counts);
    expect(ours).toMatchObject(counts);
    for (const [file, latencyMs] of [
      ['theirs.csv', theirs.latencyFromSendMs],
      ['ours.json', ours.latencyMs],
    ] as const) {
      const report = JSON.parse(run('report', '-type=json', file)) as VegetaReport;
      expect(report).toMatchObject({ requests: SENT, success: 1, status_codes: { 200: SENT } });
      const read = await resultOf('--read-results', file);
      expect(read).toMatchObject(counts);
      for (const mean of [report.latencies.mean / 1e6, read.latencyMs.mean])
        expect(Math.abs(mean / (latencyMs?.mean ?? 0) - 1)).toBeLessThan(1e-6);
    }
  }, 120_000);

  it.each(['targets.json', 'targets.http'])(
    'takes the requests of %s, which Equipoise writes',
    async (file) => {
      const two = ['--arrival-rps', '2', '--duration-s', '1', '--arrivals', 'deterministic'];
      await resultOf(url(), ...two, '--body', 'text.txt', '--save-targets', file);
      const format = file.endsWith('.json') ? 'json' : 'http';
      run('attack', `-targets=${file}`, `-format=${format}`, '-rate=20/1s', '-duration=1s', '-output=results.gob');
      run('encode', '--to=json', '-output=results.json', 'results.gob');
      const read = await resultOf('--read-results', 'results.json');
      expect(read).toMatchObject({ failed: 0, byStatus: { 200: read.sent } });
      expect(await resultOf('--targets', file, ...two, '--tool', 'vegeta')).toMatchObject({ sent: 2, ok: 2 });
    },
    120_000,
  );

  it('names the command that converts binary results', async () => {
    const ended = await load('--read-results', 'results.gob');
    expect(ended).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('vegeta encode --to csv FILE') });
  });
});

describeWithTool(vegeta, 'a load that waits for a worker of vegeta', () => {
  const SERVICE_MS = 60;
  const slow = createServer((request, response) => {
    request.resume();
    setTimeout(() => response.end('{}'), SERVICE_MS);
  });

  beforeAll(async () => {
    await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
  });

  afterAll(() => {
    slow.closeAllConnections();
    slow.close();
  });

  it('looks fast to vegeta, and slow from the scheduled instants', async () => {
    const url = `http://127.0.0.1:${(slow.address() as AddressInfo).port}/run`;
    const twice = ['--arrival-rps', '33', '--duration-s', '1', '--arrivals', 'deterministic', '--keep-going'];
    const args = [url, ...twice, '--tool', 'vegeta', '--max-workers', '1', '--json'];
    const { sent, ok, latencyMs, latencyFromSendMs } = documentOf(
      await equipoiseHere(folder.path, 'load', ...args),
    ) as LoadResult;
    expect([sent, ok]).toEqual([33, 33]);
    // The server needs twice the time between two requests, so the last one waits for about half of all service times.
    expect(latencyMs.mean - (latencyFromSendMs?.mean ?? 0)).toBeGreaterThan(0.2 * 33 * SERVICE_MS);
  }, 120_000);
});

describe('a missing vegeta', () => {
  it('is an error that names its installation', async () => {
    const before = process.env['EQUIPOISE_VEGETA'];
    process.env['EQUIPOISE_VEGETA'] = join(folder.path, 'missing');
    try {
      const flags = ['--arrival-rps', '2', '--duration-s', '1', '--keep-going', '--tool', 'vegeta'];
      const ended = await equipoiseHere(folder.path, 'load', 'http://127.0.0.1:1/', ...flags);
      expect(ended.exitCode).toBe(3);
      expect(ended.stderr).toMatch(/PACKAGE_MISSING: .*go install github\.com\/tsenart\/vegeta.*EQUIPOISE_VEGETA/);
    } finally {
      if (before === undefined) delete process.env['EQUIPOISE_VEGETA'];
      else process.env['EQUIPOISE_VEGETA'] = before;
    }
  });
});

interface VegetaReport {
  readonly requests: number;
  readonly success: number;
  readonly status_codes: Readonly<Record<string, number>>;
  readonly latencies: { readonly mean: number };
}
