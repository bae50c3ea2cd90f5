/** `serve` with hanging stages stops in bounded time, with a message. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { syntheticPipeline, TestFolder } from '../equipoise.test-support.js';

const folder = new TestFolder();
const started: ChildProcess[] = [];
const SERVE = new URL('../../dist/commands/serve.js', import.meta.url).href;

/** Runs the compiled command with a drain deadline of 0.3 s. */
function serving(file: string, environment: Readonly<Record<string, string>> = {}) {
  const ports = { host: '127.0.0.1', port: 0, adminPort: false };
  const options = { ...ports, maxBodyBytes: 1000, policy: 'equipoise', drainDeadlineMs: 300 };
  const code = `import { serve } from ${JSON.stringify(SERVE)}; await serve(${JSON.stringify(file)}, ${JSON.stringify(options)});`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    cwd: folder.path,
    env: { ...process.env, NO_COLOR: '1', NODE_OPTIONS: '', ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  started.push(child);
  const output = { text: '' };
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.text += text;
  });
  const said = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const found = pattern.exec(output.text);
      if (found !== null) return found;
      await once(child.stderr, 'data');
    }
  };
  return { child, output, said, ended: once(child, 'close') };
}

beforeAll(() => {
  folder.write('echo.mjs', 'export const load = () => ({ run: (batch) => batch });');
  folder.write(
    'hang.mjs',
    'import { writeSync } from "node:fs"; export const load = () => { writeSync(2, "loading"); while (true); };',
  );
  folder.write(
    'stuck.mjs',
    'import { writeSync } from "node:fs"; export const load = () => ({ run: () => { writeSync(2, "inside"); while (true); } });',
  );
  for (const name of ['echo', 'hang', 'stuck']) {
    // A target that no request misses, even on a busy machine.
    const file = syntheticPipeline({ name, latencyMs: 60_000, detect: `module: ./${name}.mjs` });
    // A tail so long that no run counts as hung while the server stops.
    folder.write(`${name}.yaml`, file.replaceAll(/p99Ms: (6|14|22)[\d.]*/g, 'p99Ms: 450'));
  }
  folder.write('large.yaml', syntheticPipeline({ name: 'large', cpuCores: 5000, detect: 'module: ./echo.mjs' }));
});

afterEach(async () => {
  for (const child of started.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'close');
  }
});

afterAll(() => folder.remove());

describe('equipoise serve that is stopped', () => {
  it('ends within moments while a stage still loads, and says so', async () => {
    const { child, output, said, ended } = serving('hang.yaml');
    await said(/loading/);
    const askedAtMs = performance.now();
    child.kill('SIGINT');
    expect(await ended).toEqual([null, 'SIGKILL']);
    expect(performance.now() - askedAtMs).toBeLessThan(3000);
    expect(output.text).toMatch(/stopping before the pipeline is ready[\s\S]*Not ended within 1 s[^\n]*still loading/);
  });

  it('ends at its deadline while a stage does not come back, and says so', async () => {
    const { child, output, said, ended } = serving('stuck.yaml');
    const [, url = ''] = await said(/ready (http:\S+)/);
    const cutOff = expect(fetch(`${url}/v1/pipelines/stuck/run`, { method: 'POST', body: 'x' })).rejects.toThrow();
    await said(/inside/);
    child.kill('SIGTERM');
    expect(await ended).toEqual([null, 'SIGKILL']);
    await cutOff;
    expect(output.text).toMatch(/Not ended within 1\.3 s[^\n]*replicas not closed: detect-\w+-1/);
  });

  it('cuts off at its deadline who does not end his request, and then closes in order', async () => {
    const { child, output, said, ended } = serving('echo.yaml');
    const [, url = ''] = await said(/ready (http:\S+)/);
    const endless = request(`${url}/v1/pipelines/echo/run`, { method: 'POST' });
    const cutOff = once(endless, 'error');
    endless.write('x');
    await once(endless, 'socket');
    await expect.poll(() => endless.socket?.bytesWritten).toBeGreaterThan(0);
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    await cutOff;
    expect(output.text).toMatch(/stopped\n$/);
  });

  it('serves on in a pod until the one that replaces it is ready', async () => {
    let status = 503;
    const replacement = createServer((_, response) => response.writeHead(status).end()).listen(0, '127.0.0.1');
    await once(replacement, 'listening');
    try {
      const { port } = replacement.address() as AddressInfo;
      const { child, output, said, ended } = serving('echo.yaml', {
        EQUIPOISE_PEERS_URL: `http://127.0.0.1:${port}`,
        EQUIPOISE_PEERS_WAIT_S: '600',
      });
      const [, url = ''] = await said(/ready (http:\S+)/);
      const send = () => fetch(`${url}/v1/pipelines/echo/run`, { method: 'POST', body: 'x' });
      expect((await send()).status).toBe(200);
      child.kill('SIGTERM');
      await said(/serving on until another pod of this stage is ready/);
      expect((await send()).status).toBe(200);
      expect(output.text).not.toMatch(/draining/);
      status = 200;
      expect(await ended).toEqual([0, null]);
      expect(output.text).toMatch(/draining[\s\S]*stopped\n$/);
    } finally {
      replacement.closeAllConnections();
      replacement.close();
    }
  });

  it('ends with 0 where nothing hangs, after it warned of cores that are not there', async () => {
    const { child, output, said, ended } = serving('large.yaml');
    await said(/ready (http:\S+)/);
    expect(output.text).toMatch(/warning the budget is 5000 cores, but this machine has (\d+); plans use at most \1\n/);
    expect(output.text).toMatch(/apply: the first plan, by equipoise/);
    child.kill('SIGUSR1');
    await said(/SIGUSR1 has no effect/);
    child.kill('SIGINT');
    expect(await ended).toEqual([0, null]);
    expect(output.text).not.toMatch(/Debugger listening/);
    expect(output.text).toMatch(/stopped\n$/);
  });
});
