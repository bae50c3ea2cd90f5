import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { RunningCommand, syntheticPipeline } from '../equipoise.test-support.js';
import { serveTests } from '../serve-tests.test-support.js';

const { equipoise, folder } = serveTests({
  'hang.mjs':
    'import { writeSync } from "node:fs"; export const load = () => { writeSync(2, "loading"); while (true); };',
  'hang.yaml': syntheticPipeline({ name: 'hang', detect: 'module: ./hang.mjs' }),
});

describe('the ports of equipoise serve', () => {
  it('are taken before any replica starts, and one that is in use is told at once with the remedy', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as AddressInfo;
    const ended = await equipoise('serve', 'hang.yaml', '--port', String(port));
    holder.close();
    expect(ended).toMatchObject({ exitCode: 3, stdout: '' });
    const who = process.platform === 'linux' ? `Process ${process.pid} \\(.+\\)` : '.*';
    const said = new RegExp(
      `${who} already listens on 127\\.0\\.0\\.1:${port}\\.\nChoose another port with its flag, such as --port`,
    );
    expect(ended.stderr).toMatch(said);
    expect(ended.stderr).not.toContain('loading');
  });

  it('tell while the replicas start that the process lives and is not ready', async () => {
    const command = new RunningCommand(folder.path, ['serve', 'hang.yaml', '--port', '0', '--health-port', '0']);
    const [, healthUrl = ''] = await command.said(/health port (http:\S+)/);
    const [, url = ''] = await command.said(/listening on (http:\S+);/);
    await command.said(/loading/);
    const status = async (path: string, method = 'GET') => (await fetch(`${url}${path}`, { method })).status;
    for (const at of [url, healthUrl]) {
      expect([(await fetch(`${at}/livez`)).status, (await fetch(`${at}/readyz`)).status]).toEqual([200, 503]);
    }
    expect(await status('/v1/pipelines/hang/run', 'POST')).toBe(503);
  });

  it.each([
    [['--share', '0.1'], '--share-with and --share belong together.'],
    [['--share-with', 'http://127.0.0.1:1', '--share', '1.5'], 'A share is above 0 and at most 1, found 1.5.'],
    [
      ['--share-with', 'https://x/y', '--share', '0.5'],
      'Expected http://HOST:PORT of another server, found https://x/y.',
    ],
  ])('give no share away that is none: %s', async (flags, message) => {
    const ended = await equipoise('serve', 'hang.yaml', '--port', '0', ...flags);
    expect(ended).toMatchObject({ exitCode: 2, stdout: '' });
    expect(ended.stderr).toContain(message);
    expect(ended.stderr).not.toContain('loading');
  });
});
