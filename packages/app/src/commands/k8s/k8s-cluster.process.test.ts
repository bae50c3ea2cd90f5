/** Commands of `equipoise k8s` that use a cluster, against an API server of this test. */
import { join } from 'node:path';
import { startServer } from '@equipoise/runtime';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { documentOf, syntheticPipeline, TestFolder } from '../../equipoise.test-support.js';
import { equipoiseHere } from '../../run-here.test-support.js';
import { KubeApiServer, kubeconfigTo } from '../kube-api-server.test-support.js';

const KINDS = [
  'serviceaccounts',
  'configmaps',
  'services',
  'deployments',
  'poddisruptionbudgets',
  'networkpolicies',
  'pods',
];
const folder = new TestFolder();
let server: KubeApiServer;

const k8s = (command: string, ...args: string[]) =>
  equipoiseHere(folder.path, 'k8s', command, ...args, '--kubeconfig', 'kube');

const planOf = (detect: string) => {
  const part = (variantId: string) => [
    {
      ...{ variantId, resources: { cpuCores: 1, memoryBytes: 0, gpus: 0 }, maxBatchSize: 1, maxBatchWaitMs: 0 },
      ...{ replicas: 1, trafficFraction: 1 },
    },
  ];
  return JSON.stringify({ stages: { detect: part(detect), classify: part('only') } });
};

beforeAll(() => {
  folder.write('pipeline.yaml', syntheticPipeline());
  folder.write('small.json', planOf('small'));
  folder.write('large.json', planOf('large'));
});

beforeEach(async () => {
  server = new KubeApiServer(...KINDS);
  folder.write('kube', await server.start());
});

afterEach(() => server.close());
afterAll(() => folder.remove());

const nothing = { created: [], changed: [], removed: [], leftOver: [] };

// Each test runs the command several times.
describe('equipoise k8s', { timeout: 60_000 }, () => {
  it('applies a plan to the namespace of the context, and finds it there', async () => {
    const before = await k8s('diff', 'pipeline.yaml', '--plan', 'small.json', '--json');
    expect(before.exitCode).toBe(1);
    const applied = documentOf(await k8s('apply', 'pipeline.yaml', '--plan', 'small.json', '--json'));
    const { missing } = documentOf(before) as { readonly missing: readonly unknown[] };
    expect(missing).toHaveLength(server.objects.size);
    expect(applied).toEqual({ namespace: 'team', ...nothing, created: missing, same: [] });
    expect([...server.objects.keys()].every((path) => path.includes('/namespaces/team/'))).toBe(true);

    const [diff, again, status] = await Promise.all([
      k8s('diff', 'pipeline.yaml', '--plan', 'small.json'),
      k8s('apply', 'pipeline.yaml', '--plan', 'small.json', '--json'),
      k8s('status', 'synthetic', '--json'),
    ]);
    expect(diff).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('0 missing, 0 different, 0 left over') });
    expect(documentOf(again)).toMatchObject(nothing);
    expect(status.exitCode).toBe(0);
    expect(documentOf(status)).toMatchObject({
      pipeline: 'synthetic',
      namespace: 'team',
      workloads: [
        { stage: 'classify', variant: 'only', ready: 1, complete: true },
        { stage: 'detect', variant: 'small', ready: 1, complete: true },
        { name: 'synthetic', ready: 1, complete: true },
      ],
    });
  });

  it('keeps what is left over until the new plan runs', async () => {
    await k8s('apply', 'pipeline.yaml', '--plan', 'small.json');
    server.podsStart = false;
    const stuck = await k8s('apply', 'pipeline.yaml', '--plan', 'large.json', '--prune', '--wait-s', '1', '--json');
    expect(stuck.exitCode).toBe(3);
    expect(documentOf(stuck)).toMatchObject({
      error: {
        code: 'DEADLINE_PASSED',
        message: expect.stringMatching(/does not run after 1 s: .*Nothing was removed/),
      },
    });
    const names = () => [...server.objects.keys()].map((path) => path.split('/').at(-1));
    expect(names()).toContain('synthetic--detect--small');
    expect((await k8s('status', 'synthetic')).exitCode).toBe(1);

    server.podsStart = true;
    const pruned = await k8s('apply', 'pipeline.yaml', '--plan', 'large.json', '--prune', '--json');
    expect(documentOf(pruned)).toMatchObject({
      leftOver: [],
      removed: expect.arrayContaining([{ kind: 'Deployment', name: 'synthetic--detect--small' }]),
    });
    expect(names()).not.toContain('synthetic--detect--small');
    expect(names()).toContain('synthetic--detect--large');
  });

  it('tells what it does not find', async () => {
    const [status, config, context] = await Promise.all([
      k8s('status', 'other'),
      equipoiseHere(folder.path, 'k8s', 'status', 'synthetic', '--kubeconfig', join(folder.path, 'none')),
      k8s('status', 'synthetic', '--context', 'elsewhere'),
    ]);
    expect(status).toMatchObject({ exitCode: 2, stdout: '' });
    expect(status.stderr).toContain('The namespace team has no objects of a pipeline other.');
    expect(config).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('error FILE_NOT_FOUND: there is no') });
    expect(context).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('has no context elsewhere; it has test'),
    });
  });

  it('names what makes a namespace that is not there, and a definition', async () => {
    server.namespaces = [];
    const [apply, operator] = await Promise.all([
      k8s('apply', 'pipeline.yaml', '--plan', 'small.json'),
      equipoiseHere(folder.path, 'operator', '--once', '--no-leader-election', '--kubeconfig', 'kube'),
    ]);
    expect(apply.exitCode).toBe(3);
    expect(apply.stderr).toContain('there is no namespace team; `kubectl create namespace team` makes it.');
    expect(operator.exitCode).toBe(3);
    const advice =
      'error CLUSTER_REFUSED: the API server does not serve inferencepipelines of equipoise.dev/v1alpha1; `kubectl apply --server-side -k deploy/kubernetes-definition` defines them';
    expect(operator.stderr).toContain(advice);
  });

  it('says with each command that the kubeconfig leads to an Equipoise server', async () => {
    const { url, close } = await startServer({ runners: [], version: 'test', port: 0 });
    folder.write('astray', kubeconfigTo(url));
    const connected = [
      ['k8s', 'diff', 'pipeline.yaml', '--plan', 'small.json'],
      ['k8s', 'apply', 'pipeline.yaml', '--plan', 'small.json'],
      ['k8s', 'status', 'synthetic'],
      ['operator', '--once', '--no-leader-election'],
    ];
    for (const command of connected) {
      const ended = await equipoiseHere(folder.path, ...command, '--kubeconfig', 'astray', '--json');
      expect(ended.exitCode, command.join(' ')).toBe(3);
      expect(documentOf(ended)).toMatchObject({
        error: {
          code: 'CLUSTER_REFUSED',
          message: expect.stringContaining(`what answers at ${url}/ is no Kubernetes`),
        },
      });
    }
    await close();
  });
});
