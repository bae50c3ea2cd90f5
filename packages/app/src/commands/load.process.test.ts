import { arrivalRng } from '@equipoise/core/control';
import { arrivalsOf } from '@equipoise/core/simulate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  documentOf,
  RunningCommand,
  type Serving,
  serving,
  syntheticPipeline,
  TestFolder,
} from '../equipoise.test-support.js';
import { equipoiseHere } from '../run-here.test-support.js';

const folder = new TestFolder();

describe('equipoise load', () => {
  let server: Serving;
  const load = (path: string, ...args: string[]) =>
    equipoiseHere(folder.path, 'load', `${server.url}${path}`, ...args, '--json');
  const number = expect.any(Number);
  const latencyMs = { mean: number, p50: number, p95: number, p99: number, p999: number, max: number };

  beforeAll(async () => {
    folder.write('text.txt', 'text');
    folder.write('loaded.yaml', syntheticPipeline({ latencyMs: 800, cpuCores: 2 }));
    server = await serving(folder.path, 'loaded.yaml', '--fixed', '--policy', 'static-best');
  });

  afterAll(() => folder.remove());

  it('reports a constant load, and leaves with 0', async () => {
    const flags = ['--arrival-rps', '20', '--duration-s', '0.5', '--arrivals', 'deterministic'];
    const ended = await load('/v1/pipelines/synthetic/run', ...flags);
    expect(ended.exitCode).toBe(0);
    expect(documentOf(ended)).toEqual({
      sent: 10,
      ok: 10,
      dropped: 0,
      failed: 0,
      latencyMs,
      offeredRps: number,
      achievedRps: number,
      byStatus: { 200: 10 },
    });
  });

  it('counts drops apart from failures', async () => {
    const flags = ['--arrival-rps', '200', '--duration-s', '1', '--arrivals', 'deterministic'];
    const ended = await load('/v1/pipelines/synthetic/run', ...flags);
    const result = documentOf(ended) as Record<'sent' | 'ok' | 'dropped' | 'failed', number>;
    expect(ended.exitCode).toBe(0);
    expect(result).toMatchObject({ sent: 200, failed: 0, byStatus: { 503: number } });
    expect(result.dropped).toBeGreaterThan(100);
    expect(result.ok + result.dropped).toBe(200);
  });

  it('sends the bodies of a folder by the counts of a file', async () => {
    folder.write('load.csv', '# two seconds\nrequests\n3\n2\n');
    const ended = await load('/v1/pipelines/synthetic/run', '--load', 'load.csv', '--body', '.');
    expect(ended.exitCode).toBe(0);
    expect(documentOf(ended)).toMatchObject({ sent: 5, ok: 5 });
  });

  it('sends what the simulator would draw for the same load and seed', async () => {
    const flags = [
      '--arrival-rps',
      '20',
      '--duration-s',
      '0.8',
      '--arrivals',
      'square-wave:0.5@0.2,3@0.2',
      '--seed',
      '3',
    ];
    const levels = [0.5, 3].map((factor) => ({ arrivalRps: 20 * factor, holdS: 0.2 }));
    const arrivals = arrivalsOf({ kind: 'square-wave', levels, durationS: 0.8 }, arrivalRng(3));
    let drawn = 0;
    while (arrivals.nextAtMs() !== undefined) drawn += 1;
    expect(documentOf(await load('/v1/pipelines/synthetic/run', ...flags))).toMatchObject({ sent: drawn, failed: 0 });
  });

  it('sends the parts of several sources, which meet', async () => {
    const source = (name: string) => `{ name: ${name}, datatype: BYTES, shape: [1], to: detect }`;
    const spec = `sources: [${source('letter')}, ${source('scan')}]`;
    folder.write('mail.yaml', syntheticPipeline({ name: 'mail', latencyMs: 9000, cpuCores: 2, spec }));
    const { url, command } = await serving(folder.path, 'mail.yaml', '--fixed', '--policy', 'static-best');
    const flags = ['--arrival-rps', '20', '--duration-s', '0.5', '--arrivals', 'deterministic', '--part-gap-ms', '20'];
    const send = (...parts: string[]) =>
      equipoiseHere(folder.path, 'load', `${url}/v1/pipelines/mail/run`, ...flags, ...parts, '--json');
    const both = await send('--part', 'letter=text.txt', '--part', 'scan=text.txt');
    expect(documentOf(both)).toMatchObject({ sent: 10, ok: 10, byStatus: { 200: 10 } });
    const one = await send('--part', 'letter=text.txt');
    expect([one.exitCode, one.stderr || one.stdout]).toEqual([2, expect.stringContaining('each of several sources')]);
    command.signal('SIGTERM');
    expect((await command.ended).exitCode).toBe(0);
  });

  it('leaves with 1 where requests fail', async () => {
    const refused = await load('/v1/pipelines/other/run', '--arrival-rps', '20', '--duration-s', '0.2');
    expect(refused.exitCode).toBe(1);
    expect(documentOf(refused)).toMatchObject({ ok: 0, dropped: 0, byStatus: { 404: number } });

    const url = 'http://127.0.0.1:1/v1/pipelines/synthetic/run';
    const flags = ['--arrival-rps', '20', '--duration-s', '0.2', '--keep-going'];
    const unreachable = await equipoiseHere(folder.path, 'load', url, ...flags);
    expect(unreachable.exitCode).toBe(1);
    expect(unreachable.stdout).toMatch(/ 0 ok .* 0 dropped, \d+ failed\n/);
    expect(unreachable.stdout).toContain('ECONNREFUSED');
  });

  it('says why the first request was refused, and stops where all are', async () => {
    const url = `${server.url}/v1/pipelines/other/run`;
    const ended = await equipoiseHere(folder.path, 'load', url, '--arrival-rps', '50', '--duration-s', '600');
    expect(ended.exitCode).toBe(1);
    expect(ended.stdout).toMatch(
      /the first failure, 404: .*synthetic.*\nended, because every answer was such a refusal/,
    );
  });

  it('tells at Ctrl-C what became of the requests so far', async () => {
    const url = `${server.url}/v1/pipelines/synthetic/run`;
    const command = new RunningCommand(folder.path, ['load', url, '--arrival-rps', '5', '--duration-s', '600']);
    await command.said(/[1-9]\d* sent/);
    command.signal('SIGINT');
    const ended = await command.ended;
    expect(ended.exitCode).toBe(1);
    expect(ended.stdout).toMatch(/^[1-9]\d* sent .* ok [\s\S]*\ninterrupted: not all of the load was sent\n$/);
  }, 60_000);

  it('stops where nobody listens, with what to do', async () => {
    const url = 'http://127.0.0.1:1/v1/pipelines/synthetic/run';
    const startedAtMs = performance.now();
    const ended = await equipoiseHere(
      folder.path,
      'load',
      url,
      '--arrival-rps',
      '0.5',
      '--duration-s',
      '600',
      '--arrivals',
      'deterministic',
    );
    expect(ended).toMatchObject({ exitCode: 3, stdout: '' });
    expect(ended.stderr).toMatch(
      /error UNREACHABLE: .*nobody listens on 127\.0\.0\.1:1 \(ECONNREFUSED\).*equipoise serve FILE.*--keep-going/,
    );
    expect(performance.now() - startedAtMs).toBeLessThan(60_000);
  });

  it.each([
    [['--arrival-rps', '5'], 2, 'WRONG_USAGE', '--arrival-rps N --duration-s T, or --load FILE.csv or NAME'],
    [['--load', 'missing.csv'], 3, 'FILE_NOT_FOUND', 'missing.csv cannot be read; shipped loads are bursty'],
    [['--load', 'text.txt'], 3, 'FILE_UNREADABLE', 'text.txt has no line'],
    [['--arrival-rps', '5', '--duration-s', '1', '--body', 'missing'], 3, 'FILE_NOT_FOUND', 'missing'],
  ])('refuses %j', async (args, exitCode, code, message) => {
    const ended = await load('/v1/pipelines/synthetic/run', ...args);
    expect(ended.exitCode).toBe(exitCode);
    expect(documentOf(ended)).toMatchObject({ error: { code, message: expect.stringContaining(message) } });
  });

  it('shows the token of a file, and names no latency where nothing was answered with success', async () => {
    folder.write('secret', 'open-sesame\n');
    folder.write('guarded.yaml', syntheticPipeline({ name: 'guarded', latencyMs: 800, cpuCores: 2 }));
    const guarded = await serving(folder.path, 'guarded.yaml', '--fixed', '--token-file', 'secret');
    const five = ['--arrival-rps', '10', '--duration-s', '0.5', '--arrivals', 'deterministic'];
    const ask = (...flags: string[]) =>
      equipoiseHere(folder.path, 'load', `${guarded.url}/v1/pipelines/guarded/run`, ...five, ...flags);
    const shown = await ask('--token-file', 'secret', '--json');
    expect(documentOf(shown)).toMatchObject({ sent: 5, ok: 5 });
    const hidden = await ask();
    expect(hidden.stdout).toContain('no latency, because nothing was answered with success');
    expect(hidden.stdout).toContain('401: 5');
    guarded.command.signal('SIGTERM');
  });

  it('refuses what is no address', async () => {
    const flags = ['--arrival-rps', '5', '--duration-s', '1', '--json'];
    for (const url of ['nowhere', 'https://127.0.0.1/x']) {
      const ended = await equipoiseHere(folder.path, 'load', url, ...flags);
      expect(ended.exitCode).toBe(2);
      expect(documentOf(ended)).toMatchObject({
        error: { code: 'WRONG_USAGE', message: expect.stringContaining(url) },
      });
    }
  });
});
