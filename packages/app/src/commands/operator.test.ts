/** `equipoise operator` without a cluster. Tests with a control plane are in adapter-kubernetes. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestFolder } from '../equipoise.test-support.js';
import { equipoiseHere } from '../run-here.test-support.js';

const folder = new TestFolder();
const operator = (...args: string[]) => equipoiseHere(folder.path, 'operator', ...args);
beforeAll(() => {
  const cluster = { server: 'http://127.0.0.1:9' };
  const context = { cluster: 'none', user: 'user', namespace: 'team' };
  const config = {
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'none' },
    clusters: [{ name: 'none', cluster }],
    users: [{ name: 'user', user: { token: 'secret' } }],
    contexts: [{ name: 'none', context }],
  };
  folder.write('kube', JSON.stringify(config));
});

afterAll(() => folder.remove());

describe('equipoise operator', () => {
  it('gives up an API server that does not answer where it is to run once, without a lease', async () => {
    const ended = await operator('--once', '--json', '--kubeconfig', 'kube', '--no-leader-election');
    expect(ended.exitCode).toBe(3);
    expect(JSON.parse(ended.stdout)).toMatchObject({ error: { code: 'UNREACHABLE' } });
  });

  it.each([
    [['--namespace', 'My_Models'], 2, 'Expected a namespace'],
    [['--namespace', 'a', '--all-namespaces'], 2, "cannot be used with option '--namespace"],
    [['--image', 'detect=x:1'], 2, 'its annotation equipoise.dev/images'],
    [['--lease-name', 'A'], 2, 'Expected a name'],
    [['--port', '70000'], 2, '--port'],
    [['--kubeconfig', 'kube', '--admin-host', '0.0.0.0'], 2, 'needs a token: --admin-token-file FILE'],
    [['--kubeconfig', 'kube', '--admin-token-file', 'gone'], 3, 'There is no token file gone'],
    [['--kubeconfig', 'none'], 3, 'there is no kubeconfig none'],
    [['--kubeconfig', 'kube', '--context', 'elsewhere'], 2, 'has no context elsewhere; it has none'],
  ])('tells what is wrong with %j', async (flags, exitCode, words) => {
    const ended = await operator(...flags);
    expect(ended).toMatchObject({ exitCode, stdout: '' });
    expect(ended.stderr).toContain(words);
  });

  it('prints no document unless it runs once', async () => {
    const ended = await operator('--json', '--kubeconfig', 'kube');
    expect(ended.exitCode).toBe(2);
    expect(JSON.parse(ended.stdout)).toMatchObject({
      error: { code: 'WRONG_USAGE', message: expect.stringContaining('--json needs --once') },
    });
  });

  it('says that its port is taken', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const ended = await operator('--kubeconfig', 'kube', '--port', String(port));
    server.close();
    expect(ended).toMatchObject({ exitCode: 3, stdout: '' });
    expect(ended.stderr).toContain('listens on');
  });
});
