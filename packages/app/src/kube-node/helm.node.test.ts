/** The Helm chart on a real node: operators run after installation, upgrade and roll-back; nothing is left afterwards. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describeWithTool, hasHelm, helmProgram } from '@equipoise/testkit';
import { afterAll, expect, it } from 'vitest';
import { eventually, kube, kubectl, NodeNamespace, realNode, runningNode } from './node-namespace.test-support.js';

const repository = fileURLToPath(new URL('../../../..', import.meta.url));
const chart = join(repository, 'deploy', 'helm', 'equipoise');

const tool = {
  name: 'helm',
  missing: 'not built: npm run helm:build',
  isPresent: () => realNode.isPresent() && hasHelm(),
};
const KINDS =
  'deployments,replicasets,pods,secrets,serviceaccounts,roles,rolebindings,poddisruptionbudgets,networkpolicies,leases,clusterroles,clusterrolebindings,customresourcedefinitions';

describeWithTool(tool, 'the Helm chart on a Kubernetes node', () => {
  const namespace = new NodeNamespace('chart');

  afterAll(async () => {
    if (!tool.isPresent()) return;
    await kubectl(['delete', 'crd', 'inferencepipelines.equipoise.dev', '--wait=false', '--ignore-not-found']);
    await namespace.remove();
  });

  const helm = async (command: string, ...args: readonly string[]): Promise<void> => {
    const shared = ['--kubeconfig', runningNode().kubeconfig, '--namespace', namespace.name];
    await promisify(execFile)(helmProgram(), [command, 'equipoise', ...shared, ...args]);
  };
  const everything = async (): Promise<readonly string[]> => {
    const names = await kube(['get', KINDS, '--all-namespaces', '--output', 'name']);
    return names.split('\n').filter((name) => /equipoise|helm/.test(name));
  };
  const operatorsRun = () => namespace.kube('rollout', 'status', 'deployment/equipoise-operator', '--timeout=300s');

  it('runs operators after installation, upgrade and roll-back, and leaves nothing', async () => {
    await namespace.create();
    const before = await everything();
    const values = ['--set', 'definition.keep=false', '--set', 'image.tag=0.1.0'];
    await helm('install', chart, ...values);
    await operatorsRun();
    await helm('upgrade', chart, ...values, '--set', 'podLabels.step=upgraded', '--set', 'replicas=1');
    await operatorsRun();
    expect(await namespace.pods('step=upgraded')).not.toEqual([]);
    await helm('rollback', '1');
    await operatorsRun();
    await eventually('one operator acts', async () =>
      (await namespace.kube('get', 'lease')).includes('equipoise-operator'),
    );
    await helm('uninstall');
    await eventually('nothing is left', async () => JSON.stringify(await everything()) === JSON.stringify(before));
  });
});
