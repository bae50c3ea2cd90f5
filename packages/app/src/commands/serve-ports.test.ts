import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { endCommands, equipoise, RunningCommand, syntheticPipeline, TestFolder } from '../equipoise.test-support.js';

const folder = new TestFolder();

beforeAll(() => {
  folder.write(
    'hang.mjs',
    'import { writeSync } from "node:fs"; export const load = () => { writeSync(2, "loading"); while (true); };',
  );
  folder.write('hang.yaml', syntheticPipeline({ name: 'hang', detect: 'module: ./hang.mjs' }));
});

afterEach(endCommands);

afterAll(() => folder.remove());

describe('the ports of equipoise serve', () => {
  it('are taken before any replica starts, and one that is in use is told at once with the remedy', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as AddressInfo;
    const ended = await equipoise(folder.path, 'serve', 'hang.yaml', '--port', String(port));
    holder.close();
    expect(ended).toMatchObject({ exitCode: 3, stdout: '' });
    expect(ended.stderr).toContain(`Something listens on 127.0.0.1:${port} already.\nChoose another port with --port.`);
    expect(ended.stderr).not.toContain('loading');
  });

  it('tell while the replicas start that the process lives and is not ready', async () => {
    const command = new RunningCommand(folder.path, ['serve', 'hang.yaml', '--port', '0']);
    const [, url = ''] = await command.said(/listening on (http:\S+);/);
    await command.said(/loading/);
    const status = async (path: string, method = 'GET') => (await fetch(`${url}${path}`, { method })).status;
    expect([await status('/livez'), await status('/readyz')]).toEqual([200, 503]);
    expect(await status('/v1/pipelines/hang/run', 'POST')).toBe(503);
  });
});
