/** `equipoise operator` as a process, without a cluster. */

import { startServer } from '@equipoise/runtime';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { documentOf, endCommands, equipoise, RunningCommand, TestFolder } from '../equipoise.test-support.js';
import { kubeconfigTo } from './kube-api-server.test-support.js';

const folder = new TestFolder();
const lines = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

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

afterEach(endCommands);
afterAll(() => folder.remove());

describe('the process of equipoise operator', () => {
  it('waits for an API server that does not answer: it lives and is not ready, and ends with 0 when it is told to', async () => {
    const command = new RunningCommand(folder.path, [
      'operator',
      ...['--kubeconfig', 'kube', '--port', '0', '--admin-port', '0'],
    ]);
    await command.said(/failed and is tried again/);
    const [started] = lines(command.stderr);
    expect(started).toMatchObject({ level: 'info', message: 'started', namespace: 'team' });
    const asks = async (path: string) => (await fetch(`${String(started?.['url'])}${path}`)).status;
    expect(await Promise.all(['/livez', '/readyz', '/metrics', '/admin'].map(asks))).toEqual([200, 503, 200, 404]);
    const page = await fetch(String(started?.['page']));
    expect({ status: page.status, policy: page.headers.get('content-security-policy') }).toEqual({
      ...{ status: 200, policy: expect.stringContaining("default-src 'none'") },
    });
    const pipelines = await fetch(`${String(started?.['page'])}admin/pipelines`);
    expect(await pipelines.json()).toEqual({ pipelines: [] });
    const metrics = await (await fetch(`${String(started?.['url'])}/metrics`)).text();
    expect(metrics).toMatch(/^equipoise_operator_leads 0$/m);
    expect(metrics).toMatch(/^equipoise_operator_failures_total\{of="lease"\} [1-9]/m);
    command.signal('SIGTERM');
    expect(await command.ended).toMatchObject({ exitCode: 0, stdout: '' });
    expect(lines(command.stderr).at(-1)).toMatchObject({ message: 'stopped' });
  });

  // The operator requests its lease several times, seconds apart.
  it('gives up an API server that does not answer where it is to run once, with a lease', async () => {
    const ended = await equipoise(folder.path, 'operator', '--once', '--json', '--kubeconfig', 'kube');
    expect(ended.exitCode).toBe(3);
    expect(documentOf(ended)).toMatchObject({ error: { code: 'UNREACHABLE' } });
  });

  it('says that the kubeconfig leads to an Equipoise server, with a lease', async () => {
    const { url, close } = await startServer({ runners: [], version: 'test', port: 0 });
    folder.write('astray', kubeconfigTo(url));
    const ended = await equipoise(folder.path, 'operator', '--once', '--json', '--kubeconfig', 'astray');
    await close();
    expect(ended.exitCode).toBe(3);
    const message = expect.stringContaining(`what answers at ${url}/ is no Kubernetes`);
    expect(documentOf(ended)).toMatchObject({ error: { code: 'CLUSTER_REFUSED', message } });
  });
});
