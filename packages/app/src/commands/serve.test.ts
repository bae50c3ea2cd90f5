import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  endCommands,
  equipoise,
  type Serving,
  serving,
  syntheticPipeline,
  TestFolder,
} from '../equipoise.test-support.js';

const folder = new TestFolder();
const serve = (...args: string[]) => serving(folder.path, ...args);
const run = (url: string, body = 'hi') => fetch(`${url}/v1/pipelines/synthetic/run`, { method: 'POST', body });

/** Sends a request that the server has begun to read when this resolves; `answered` with its status. */
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

/** The table of the plan that a server began with. */
const planOf = ({ command }: Serving): string => /┌[\s\S]*┘/.exec(command.stderr)?.[0] ?? '';

beforeAll(() => {
  folder.write('pipeline.yaml', syntheticPipeline());
  folder.write('slow.yaml', syntheticPipeline({ largeMs: 400, latencyMs: 5000 }));
  folder.write('endless.yaml', syntheticPipeline({ largeMs: 20_000, latencyMs: 100_000 }));
});

afterEach(endCommands);

afterAll(() => folder.remove());

describe('equipoise serve', () => {
  it('says on stderr when it is ready, and answers', async () => {
    const { command, url } = await serve('pipeline.yaml');
    expect(command.stderr).toMatch(
      /the first plan:\n[\s\S]*ready http:\/\/127\.0\.0\.1:\d+ serves pipeline synthetic /,
    );
    const answer = await run(url);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ pipeline: 'synthetic', outputs: {} });
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('drains on %s and leaves with 0', async (signal) => {
    const { command, url } = await serve('slow.yaml', '--arrival-rps', '0.5');
    const { answered } = await requestUnderWay(url);
    command.signal(signal);
    await command.said(/draining/);
    expect(await answered).toBe(200);
    const ended = await command.ended;
    expect(ended).toMatchObject({ exitCode: 0, signal: null, stdout: '' });
    expect(ended.stderr).toMatch(/draining[^\n]*\n[^\n]*stopped\n$/);
    await expect(run(url)).rejects.toThrow('fetch failed');
  });

  it('takes a signal that arrives twice, as npm passes it on, for one', async () => {
    const { command, url } = await serve('slow.yaml', '--arrival-rps', '0.5');
    const { answered } = await requestUnderWay(url);
    command.signal('SIGINT');
    await command.said(/draining/);
    command.signal('SIGINT');
    expect(await answered).toBe(200);
    expect(await command.ended).toMatchObject({ exitCode: 0, signal: null });
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
    const first = await serve('resumed.yaml');
    const second = await serve('resumed.yaml', '--arrival-rps', '100');
    expect(planOf(second)).not.toBe(planOf(first));
    second.command.signal('SIGKILL');
    expect(await second.command.ended).toMatchObject({ signal: 'SIGKILL' });

    const third = await serve('resumed.yaml');
    expect(third.command.stderr).toContain('the last good plan:');
    expect(planOf(third)).toBe(planOf(second));
    third.command.signal('SIGTERM');
    expect(await third.command.ended).toMatchObject({ exitCode: 0 });

    const fourth = await serve('resumed.yaml');
    expect(fourth.command.stderr).toContain('the last good plan:');
    expect(planOf(fourth)).toBe(planOf(second));

    folder.write('resumed.yaml', syntheticPipeline({ name: 'resumed', latencyMs: 250 }));
    const changed = await serve('resumed.yaml');
    expect(changed.command.stderr).toContain(
      'the last good plan is not taken: the pipeline file has changed since it was made',
    );
    expect(changed.command.stderr).toContain('the first plan:');
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

  it('goes on serving after requests that it refuses', async () => {
    const { url } = await serve('pipeline.yaml', '--max-body-bytes', '10');
    expect((await run(url, 'x'.repeat(11))).status).toBe(413);
    expect((await fetch(`${url}/v1/pipelines/other/run`, { method: 'POST', body: 'x' })).status).toBe(404);
    expect((await run(url, 'x'.repeat(10))).status).toBe(200);
  });
});

describe('a pipeline that cannot start', () => {
  it.each([
    ['missing', undefined, /FILE_NOT_FOUND|There is no token file/],
    ['empty', ' \n', /holds no token/],
  ])('says that the token file is wrong: %s', async (_, text, words) => {
    if (text !== undefined) folder.write('token', text);
    const name = text === undefined ? 'no-token' : 'token';
    const { exitCode, stderr } = await equipoise(folder.path, 'serve', 'pipeline.yaml', '--token-file', name);
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

  const serveAndFail = (text: string) => {
    folder.write('failing.yaml', text);
    return equipoise(folder.path, 'serve', 'failing.yaml', '--port', '0');
  };

  beforeAll(() => {
    folder.write('echo.mjs', 'export const load = () => ({ run: (batch) => batch });');
    folder.write('throws.mjs', 'throw new Error("the license is missing");');
  });

  it('names the path of a stage module that is missing', async () => {
    const { exitCode, stderr } = await serveAndFail(syntheticPipeline({ detect: 'module: ./missing.js' }));
    expect(exitCode).toBe(3);
    expect(stderr).toContain(
      `error FILE_NOT_FOUND: The module ./missing.js is not there: no file ${join(folder.path, 'missing.js')}.`,
    );
    expect(stderr).toContain('Check the path; those inside a pipeline file or a grid are relative to its folder.');
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
