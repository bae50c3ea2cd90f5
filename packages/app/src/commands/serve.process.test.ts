import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { RunningCommand, type Serving, syntheticPipeline } from '../equipoise.test-support.js';
import { serveTests } from '../serve-tests.test-support.js';

const { equipoise, folder, serve } = serveTests({
  'pipeline.yaml': syntheticPipeline(),
  'slow.yaml': syntheticPipeline({ largeMs: 400, latencyMs: 5000 }),
  'endless.yaml': syntheticPipeline({ largeMs: 20_000, latencyMs: 100_000 }),
  'echo.mjs': 'export const load = () => ({ run: (batch) => batch });',
  'throws.mjs': 'throw new Error("the license is missing");',
});
const run = (url: string, body = 'hi') => fetch(`${url}/v1/pipelines/synthetic/run`, { method: 'POST', body });

/** Sends a request; resolves once the server reads it. `answered` resolves with the status. */
async function requestUnderWay(url: string): Promise<{ readonly answered: Promise<number | undefined> }> {
  const sent = request(`${url}/v1/pipelines/synthetic/run`, { method: 'POST', headers: { expect: '100-continue' } });
  const answered = new Promise<number | undefined>((resolve, reject) => {
    sent.on('error', reject);
    sent.on('response', (answer: IncomingMessage) => {
      answer.resume().on('end', () => resolve(answer.statusCode));
    });
  });
  sent.flushHeaders();
  await once(sent, 'continue');
  sent.end('hi');
  return { answered };
}

/** Table of a server's first plan. */
const planOf = ({ command }: Serving): string => /┌[\s\S]*┘/.exec(command.stderr)?.[0] ?? '';

describe('equipoise serve', () => {
  it('says on stderr when it is ready, answers, and goes on serving after requests that it refuses', async () => {
    const { command, url } = await serve('pipeline.yaml', '--max-body-bytes', '10');
    expect(command.stderr).toMatch(
      /the first plan:\n[\s\S]*ready http:\/\/127\.0\.0\.1:\d+ serves pipeline synthetic /,
    );
    expect((await run(url, 'x'.repeat(11))).status).toBe(413);
    expect((await fetch(`${url}/v1/pipelines/other/run`, { method: 'POST', body: 'x' })).status).toBe(404);
    const answer = await run(url, 'x'.repeat(10));
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ pipeline: 'synthetic', outputs: {} });
  });

  it('answers requests that come before it is ready, once it is', async () => {
    folder.write(
      'waits.mjs',
      `import { existsSync } from 'node:fs';
      export async function load() {
        while (!existsSync('go')) await new Promise((resolve) => setTimeout(resolve, 10));
        return { run: (batch) => batch };
      }`,
    );
    folder.write('waits.yaml', syntheticPipeline({ detect: 'module: ./waits.mjs' }));
    const command = new RunningCommand(folder.path, ['serve', 'waits.yaml', '--admin-port', '0', '--port', '0']);
    const [, url = ''] = await command.said(/listening on (\S+);/);
    const answers = [run(url), run(url)];
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    folder.write('go', '');
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200]);
    await command.said(/ready http\S+ serves .*; started in [\d.]+ s.*; watch and control it at http/);
  });

  // Two signals in a row count as one, because npm forwards the signal.
  it.each([[['SIGTERM']], [['SIGINT', 'SIGINT']]] as const)('drains on %j and leaves with 0', async (signals) => {
    const { command, url } = await serve('slow.yaml', '--arrival-rps', '0.5');
    const { answered } = await requestUnderWay(url);
    for (const signal of signals) {
      command.signal(signal);
      await command.said(/draining/);
    }
    expect(await answered).toBe(200);
    const ended = await command.ended;
    expect(ended).toMatchObject({ exitCode: 0, signal: null, stdout: '' });
    expect(ended.stderr).toMatch(/draining[^\n]*\n[^\n]*stopped\n$/);
    await expect(run(url)).rejects.toThrow('fetch failed');
  });

  it('ends at once when it is told again a while later', async () => {
    const { command, url } = await serve('endless.yaml', '--arrival-rps', '0.01');
    const { answered } = await requestUnderWay(url);
    const cutOff = expect(answered).rejects.toThrow('socket hang up');
    command.signal('SIGINT');
    await command.said(/draining/);
    await setTimeout(1100);
    command.signal('SIGINT');
    expect(await command.ended).toMatchObject({ exitCode: null, signal: 'SIGKILL' });
    await cutOff;
  });

  it('goes on with the last good plan after a kill and after a stop, while the pipeline is the same', async () => {
    folder.write('resumed.yaml', syntheticPipeline({ name: 'resumed' }));
    const first = await serve('resumed.yaml', '--arrival-rps', '100');
    first.command.signal('SIGKILL');
    expect(await first.command.ended).toMatchObject({ signal: 'SIGKILL' });

    const second = await serve('resumed.yaml');
    expect(second.command.stderr).toContain('the last good plan:');
    expect(planOf(second)).toBe(planOf(first));
    second.command.signal('SIGTERM');
    expect(await second.command.ended).toMatchObject({ exitCode: 0 });

    const third = await serve('resumed.yaml');
    expect(third.command.stderr).toContain('the last good plan:');
    expect(planOf(third)).toBe(planOf(first));
    third.command.signal('SIGTERM');
    await third.command.ended;

    folder.write('resumed.yaml', syntheticPipeline({ name: 'resumed', latencyMs: 250 }));
    const changed = await serve('resumed.yaml');
    expect(changed.command.stderr).toContain(
      'the last good plan is not restored: the pipeline file has changed since it was made',
    );
    expect(changed.command.stderr).toContain('the first plan:');
    expect(planOf(changed)).not.toBe(planOf(first));
  }, 60_000);

  it('serves with its best effort where no plan is feasible, says so, and does not go on with it after a restart', async () => {
    folder.write('small.yaml', syntheticPipeline({ name: 'synthetic', cpuCores: 2 }));
    const { command, url } = await serve('small.yaml', '--arrival-rps', '1000');
    expect(command.stderr).toMatch(/warning no plan meets the SLO: [^\n]+; a best effort serves/);
    expect(command.stderr).toContain('without bound: it does not keep up with the load');
    expect((await run(url)).status).toBe(200);
    command.signal('SIGTERM');
    expect(await command.ended).toMatchObject({ exitCode: 0 });
    const again = await serve('small.yaml');
    expect(again.command.stderr).toContain('the first plan:');
    expect(again.command.stderr).not.toContain('warning');
  });
});

describe('a pipeline that cannot start', () => {
  it.each([
    ['missing', undefined, /FILE_NOT_FOUND|There is no token file/],
    ['empty', ' \n', /holds no token/],
  ])('says that the token file is wrong: %s', async (_, text, words) => {
    if (text !== undefined) folder.write('token', text);
    const name = text === undefined ? 'no-token' : 'token';
    const { exitCode, stderr } = await equipoise('serve', 'pipeline.yaml', '--token-file', name);
    expect([exitCode, stderr]).toEqual([text === undefined ? 3 : 2, expect.stringMatching(words)]);
  });

  it('asks for the token of the file, which is read again at SIGHUP', async () => {
    folder.write('secret', 'open-sesame\n');
    const { command, url } = await serve('pipeline.yaml', '--token-file', 'secret');
    expect((await run(url)).status).toBe(401);
    const headers = { authorization: 'Bearer open-sesame' };
    const answer = await fetch(`${url}/v1/pipelines/synthetic/run`, { method: 'POST', body: 'hi', headers });
    expect(answer.status).toBe(200);
    folder.write('secret', 'north new-word rps=1\n');
    command.signal('SIGHUP');
    await command.said(/the token file has changed/);
    const send = async (token: string) =>
      (await fetch(`${url}/v2`, { headers: { authorization: `Bearer ${token}` } })).status;
    expect([await send('open-sesame'), await send('new-word')]).toEqual([401, 200]);
  });

  it('logs what a stage says that fails a request', async () => {
    folder.write('rejects.mjs', 'export const load = () => ({ run: () => { throw new Error("no such layer"); } });');
    folder.write('rejects.yaml', syntheticPipeline({ name: 'rejects', detect: 'module: ./rejects.mjs' }));
    const { command, url } = await serve('rejects.yaml');
    const answer = await fetch(`${url}/v1/pipelines/rejects/run`, { method: 'POST', body: 'hi' });
    expect(answer.status).toBe(500);
    await command.said(/^\d{4}-\S+Z Stage detect: .*no such layer$/m);
    expect(command.stderr).not.toContain('(node:');
  });

  const serveAndFail = (text: string) => {
    folder.write('failing.yaml', text);
    return equipoise('serve', 'failing.yaml', '--port', '0');
  };

  it('names the path of a stage module that is missing', async () => {
    const { exitCode, stderr } = await serveAndFail(syntheticPipeline({ detect: 'module: ./missing.js' }));
    expect(exitCode).toBe(3);
    expect(stderr).toContain(
      `error FILE_NOT_FOUND: The module ./missing.js is not there: no file ${join(folder.path, 'missing.js')}.`,
    );
    expect(stderr).toContain(
      'Check the path. Paths in a pipeline file or a grid are relative to the folder of that file.',
    );
  });

  it('names the path of a model file that is missing', async () => {
    const text = syntheticPipeline({ detect: 'module: ./echo.mjs' });
    const { exitCode, stderr } = await serveAndFail(
      text.replaceAll('- name: large', '- name: large\n          artifact: ./models/missing.onnx'),
    );
    expect(exitCode).toBe(3);
    expect(stderr).toContain(
      `error FILE_NOT_FOUND: The artifact ./models/missing.onnx is not there: no file ${join(folder.path, 'models/missing.onnx')}.`,
    );
    expect(stderr).toContain('Check the path');
  });

  it('tells what a stage module throws', async () => {
    const { exitCode, stderr } = await serveAndFail(syntheticPipeline({ detect: 'module: ./throws.mjs' }));
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(/error MODULE_INVALID: .*throws\.mjs cannot be imported: the license is missing/);
  });

  it('lists the problems of its file', async () => {
    const { exitCode, stderr } = await serveAndFail(syntheticPipeline({ detect: 'pins: { variant: lrage }' }));
    expect(exitCode).toBe(1);
    expect(stderr).toContain('did you mean large?');
  });
});
