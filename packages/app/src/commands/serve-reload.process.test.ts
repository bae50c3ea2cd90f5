import { readFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { RunningCommand, syntheticPipeline } from '../equipoise.test-support.js';
import { serveTests } from '../serve-tests.test-support.js';

const { folder, serve } = serveTests();

describe('a pipeline file that is read again', () => {
  it('is planned by from then on, unless it is invalid or needs a restart', async () => {
    folder.write(
      'pipeline.yaml',
      syntheticPipeline({ latencyMs: 60_000, spec: 'control: { intervalMs: 1000, canary: false }' }),
    );
    const { command, url } = await serve('pipeline.yaml', '--arrival-rps', '5');
    const slo = async () =>
      /^equipoise_slo_latency_seconds\S* (\S+)$/m.exec(await (await fetch(`${url}/metrics`)).text())?.[1];
    const reload = async (text: string, words: RegExp) => {
      folder.write('pipeline.yaml', text);
      command.signal('SIGHUP');
      await command.said(words);
    };
    await reload('spec: 1', /the pipeline file is refused: [^\n]*problem/);
    const other = syntheticPipeline({
      latencyMs: 1,
      largeMs: 30,
      spec: 'control: { intervalMs: 1000, canary: false }',
    });
    await reload(other, /the pipeline file is refused: [^\n]*a restart is needed to change stages\.detect\.variants/);
    expect(await slo()).toBe('60');
    const cheap = syntheticPipeline({
      latencyMs: 50_000,
      cpuCores: 2,
      spec: 'control: { intervalMs: 1000, canary: false }',
    });
    await reload(cheap, /the pipeline file has changed/);
    expect(await slo()).toBe('50');
    await reload(cheap, /the pipeline file is unchanged/);
    expect((await fetch(`${url}/v1/pipelines/synthetic/run`, { method: 'POST', body: 'hi' })).status).toBe(200);
  });

  it('is read once the pipeline serves where that is asked for while it starts', async () => {
    folder.write(
      'slow.mjs',
      `import { existsSync } from 'node:fs';
      export async function load() {
        while (!existsSync('go')) await new Promise((resolve) => setTimeout(resolve, 10));
        return { run: (batch) => batch };
      }`,
    );
    const slow = (latencyMs: number) => syntheticPipeline({ name: 'slow', latencyMs, detect: 'module: ./slow.mjs' });
    folder.write('slow.yaml', slow(60_000));
    const command = new RunningCommand(folder.path, ['serve', 'slow.yaml', '--admin-port', '0', '--port', '0']);
    await command.said(/while the pipeline starts/);
    folder.write('slow.yaml', slow(50_000));
    command.signal('SIGHUP');
    await command.said(/SIGHUP: files are reloaded once the pipeline serves/);
    folder.write('go', '');
    await command.said(/ready http[\s\S]*the pipeline file has changed/);
  });
});

describe('logs as JSON', () => {
  it('have an object per line, and a request log that is opened again on SIGHUP', async () => {
    folder.write('logged.yaml', syntheticPipeline({ name: 'logged', latencyMs: 60_000 }));
    const { command, url } = await serve('logged.yaml', '--log-format', 'json', '--request-log', 'requests.jsonl');
    const send = async (traceId: string) => {
      const headers = { traceparent: `00-${traceId}-${'1'.repeat(16)}-00` };
      const answer = await fetch(`${url}/v1/pipelines/logged/run`, { method: 'POST', body: 'secret', headers });
      expect(answer.status).toBe(200);
    };
    const [first, second] = ['a'.repeat(32), 'b'.repeat(32)];
    const file = path.join(folder.path, 'requests.jsonl');
    const lines = (name: string) =>
      readFileSync(name, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line));
    await send(first);
    renameSync(file, `${file}.1`);
    command.signal('SIGHUP');
    await command.said(/the request log has changed/);
    await send(second);
    command.signal('SIGTERM');
    await command.ended;
    const line = { pipeline: 'logged', outcome: 'completed', latencyMs: expect.any(Number), at: expect.any(String) };
    expect([...lines(`${file}.1`), ...lines(file)]).toEqual([first, second].map((traceId) => ({ ...line, traceId })));
    const log = command.stderr.split('\n').filter((text) => text !== '');
    for (const text of log)
      expect(JSON.parse(text)).toMatchObject({ level: expect.any(String), message: expect.any(String) });
    expect(log.join()).not.toContain('secret');
  });
});
