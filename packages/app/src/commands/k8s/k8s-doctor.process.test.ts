/** `equipoise k8s doctor` against an API server and a Prometheus of this test. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentOf, TestFolder } from '../../equipoise.test-support.js';
import { equipoiseHere } from '../../run-here.test-support.js';
import { KubeApiServer } from '../kube-api-server.test-support.js';

const folder = new TestFolder();
const cluster = new KubeApiServer('deployments', 'pods', 'pipelines');
/** Queries of the test's Prometheus. */
let queries: string[] = [];
const TOKEN = 'right';
let prometheus: Server;
let url = '';

const labels = (part: string, more = {}, pipeline = 'shelf') => ({
  'app.kubernetes.io/managed-by': 'equipoise',
  'equipoise.dev/pipeline': pipeline,
  'equipoise.dev/part': part,
  ...more,
});
const variant = { 'equipoise.dev/stage': 'detect', 'equipoise.dev/variant': 'small' };

function deploy(resource: string, kind: string, name: string, own: object, spec: object): void {
  const group = resource === 'pods' ? '/api/v1' : '/apis/apps/v1';
  const object = { kind, metadata: { name, labels: own }, spec, status: { phase: 'Running' } };
  cluster.objects.set(`${group}/namespaces/team/${resource}/${name}`, object as never);
}

/** A Prometheus without any target and series, which only knows the time. */
function emptyAnswer(path: string, query: string): unknown {
  if (path.includes('targets')) return { activeTargets: [], droppedTargets: [] };
  if (path.includes('rules')) return { groups: [] };
  const now = {
    metric: query.includes('equipoise_part') ? { equipoise_part: 'now' } : {},
    value: [0, String(Date.now() / 1000)],
  };
  return { resultType: 'vector', result: query.includes('vector(time())') ? [now] : [] };
}

beforeAll(async () => {
  folder.write('kube', await cluster.start());
  folder.write('token', `${TOKEN}\n`);
  folder.write('wrong-token', 'wrong');
  deploy('deployments', 'Deployment', 'shelf', labels('router'), {});
  deploy('deployments', 'Deployment', 'shelf--detect--small', labels('stage', variant), {});
  deploy('pods', 'Pod', 'shelf-1', labels('router'), { containers: [{ name: 'router' }] });
  const containers = [{ name: 'stage', command: ['mlserver', 'start', '.'] }, { name: 'istio-proxy' }];
  deploy('pods', 'Pod', 'shelf--detect--small-1', labels('stage', variant), { containers });
  prometheus = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    if (request.headers.authorization !== `Bearer ${TOKEN}`) return response.writeHead(403).end();
    const query = new URLSearchParams(body).get('query') ?? '';
    queries.push(query);
    const data = emptyAnswer(request.url ?? '', query);
    return response.end(JSON.stringify({ status: 'success', data }));
  });
  await new Promise<void>((resolve) => prometheus.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(prometheus.address() as AddressInfo).port}`;
});

afterAll(() => {
  cluster.close();
  prometheus.closeAllConnections();
  prometheus.close();
  return folder.remove();
});

const doctor = (...args: string[]) =>
  equipoiseHere(folder.path, 'k8s', 'doctor', ...args, '--kubeconfig', 'kube', '--prometheus', url);

describe('equipoise k8s doctor', () => {
  it('examines the series that the pods show, and exits with 1 for errors', async () => {
    const ended = await doctor('shelf', '--prometheus-token-file', 'token', '--json');
    expect(ended.exitCode).toBe(1);
    expect(documentOf(ended)).toMatchObject({
      ...{ pipeline: 'shelf', namespace: 'team', prometheus: `${url}/` },
      sources: ['equipoise', 'mlserver', 'istio', 'cadvisor'],
      findings: expect.arrayContaining([
        expect.objectContaining({
          check: 'target-missing',
          source: 'equipoise',
          message: expect.stringContaining('shelf-1'),
        }),
        expect.objectContaining({ check: 'target-missing', source: 'mlserver' }),
        expect.objectContaining({
          check: 'series-missing',
          source: 'istio',
          fix: expect.stringContaining('Telemetry'),
        }),
        expect.objectContaining({ check: 'rules-missing', severity: 'warning' }),
      ]),
    });
  });

  it('examines the series of the object that walks the graph, whose name may be shorter', async () => {
    const [pipeline, name] = [`shelf-${'x'.repeat(50)}`, 'shelf-xx-0123abcd'];
    const path = `/apis/mlops.seldon.io/v1alpha1/namespaces/team/pipelines/${name}`;
    cluster.objects.set(path, { kind: 'Pipeline', metadata: { name, labels: labels('router', {}, pipeline) } });
    queries = [];
    await doctor(pipeline, '--prometheus-token-file', 'token', '--sources', 'seldon-v2');
    expect(queries.join()).toContain(`{namespace="team",pipeline="${name}"}`);
    expect(queries.join()).not.toContain(pipeline);
  });

  it('names a token without the right, and its fix, as text', async () => {
    const ended = await doctor('shelf', '--prometheus-token-file', 'wrong-token', '--sources', 'cadvisor');
    expect(ended.exitCode).toBe(1);
    expect(ended.stdout).toMatch(/error prometheus-refuses: .* answers 403.*\n {2}fix: .*right to query/);
    expect(ended.stdout).toContain('shelf in team, series of cadvisor: 1 error');
  });

  it.each([
    [['other'], 2, 'has no objects of a pipeline other'],
    [['shelf', '--sources', 'cadvisor,top'], 2, 'Expected names of equipoise'],
    [['shelf', '--prometheus-token-file', 'none'], 3, 'there is no file none'],
  ])('refuses %j', async (args, exitCode, message) => {
    expect(await doctor(...args)).toMatchObject({ exitCode, stderr: expect.stringContaining(message) });
  });
});
