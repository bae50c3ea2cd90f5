/** The Helm chart: linted, compared with the Kustomize folders, and installed on a real API server. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describeWithTool, outputOf } from '@equipoise/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '../api/kube-object.js';
import { goodPipeline } from '../crd/bad-pipelines.test-support.js';
import { ControlPlane } from './control-plane.test-support.js';
import { CHART, deployFolder, helm, helmTool, kubectl } from './helm.test-support.js';
import { kubeBinariesFolder } from './kube-binaries.test-support.js';

const KINDS =
  'deployments,replicasets,secrets,serviceaccounts,roles,rolebindings,poddisruptionbudgets,networkpolicies,clusterroles,clusterrolebindings,customresourcedefinitions';
const DEFINITION = 'inferencepipelines.equipoise.dev';
const REMOVED = ['--set', 'definition.keep=false'];

/** Values that set everything. */
const EVERY_VALUE = `
name: mine
allNamespaces: true
watchNodes: true
image: { repository: registry.example.org/equipoise, digest: 'sha256:${'ab'.repeat(32)}', pullPolicy: Always }
imagePullSecrets: [{ name: registry }]
pipelines: { image: 'registry.example.org/all:1' }
replicas: 3
extraArgs: ['--least-cpu-cores=0.5']
resources: { requests: { cpu: 1 }, limits: { memory: 3Gi } }
nodeSelector: { pool: system }
tolerations: [{ key: dedicated, operator: Exists }]
affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference: { matchExpressions: [{ key: disk, operator: Exists }] } }] } }
priorityClassName: system-cluster-critical
podLabels: { team: serving }
podAnnotations: { example.com/note: 'yes' }
`;

const documentsIn = (text: string): readonly KubeObject[] =>
  parseAllDocuments(text).flatMap((each) => (each.contents === null ? [] : [each.toJS() as KubeObject]));

const byName = (objects: readonly KubeObject[]): Readonly<Record<string, KubeObject>> =>
  Object.fromEntries(objects.map((object) => [`${object.kind} ${object.metadata.name}`, object]));

const template = async (...args: readonly string[]): Promise<string> =>
  outputOf(helm('template', 'equipoise', CHART, '--namespace', 'equipoise', '--kube-version', '1.36.0', ...args));

describeWithTool(helmTool, 'the Helm chart', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'equipoise-helm-'));
  const kubeconfig = path.join(folder, 'kubeconfig');
  const values = path.join(folder, 'values.yaml');
  let plane: ControlPlane;

  beforeAll(async () => {
    writeFileSync(values, EVERY_VALUE);
    plane = await ControlPlane.start(kubeBinariesFolder());
    writeFileSync(kubeconfig, plane.kubeconfig(), { mode: 0o600 });
  }, 300_000);

  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await plane?.stop();
  }, 60_000);

  const kube = (...args: readonly string[]) => outputOf(kubectl(['--kubeconfig', kubeconfig, ...args]));
  const release = (command: string, ...args: readonly string[]) =>
    outputOf(helm(command, 'equipoise', '--kubeconfig', kubeconfig, '--namespace', 'chart', ...args));
  const everything = async () => (await kube('get', KINDS, '--all-namespaces', '--output', 'name')).split('\n').sort();
  const imageInUse = () =>
    kube('get', 'deployment/equipoise-operator', '-n', 'chart', '-o', 'jsonpath={..containers[0].image}');
  const namesOfDefinition = () => kube('get', 'crd', DEFINITION, '-o', 'jsonpath={.spec.names.shortNames[*]}');

  it('has no finding of the linter', async () => {
    const linted = await helm('lint', '--strict', CHART, '--values', values, '--kube-version', '1.36.0');
    expect(linted, linted.stdout).toMatchObject({ exitCode: 0 });
  });

  it.each([
    ['kubernetes', []],
    ['kubernetes-all-namespaces', ['--set', 'allNamespaces=true']],
    ['kubernetes-shards', ['--set', 'replicas=4', '--set', 'shards=8']],
    ['kubernetes-nodes', ['--set', 'watchNodes=true']],
  ])('has the objects of deploy/%s', async (name, args) => {
    const built = await Promise.all(
      [name, 'kubernetes-definition'].map((each) => outputOf(kubectl(['kustomize', deployFolder(each)]))),
    );
    const wanted = built.flatMap(documentsIn).filter(({ kind }) => kind !== 'Namespace');
    expect(byName(documentsIn(await template(...REMOVED, ...args)))).toEqual(byName(wanted));
  });

  it.each([
    ['a number as text', 'replicas=two'],
    ['an unknown value', 'replica=2'],
    ['an unknown nested value', 'image.tags=1'],
    ['a label that selects the pods', 'podLabels.app\\.kubernetes\\.io/name=other'],
    ['a name that is none', 'name=My Operator'],
    ['a repository with more than a name', 'image.repository=a"\n          hostNetwork: true'],
    ['no name', 'name=null'],
    ['no answer to keeping the pipelines', 'definition.keep=null'],
    ['no answer to a group of questions', 'networkPolicy=null'],
  ])('refuses %s by its schema', async (_what, value) => {
    const refused = await helm('template', CHART, '--kube-version', '1.36.0', '--set', value);
    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/schema/) });
  });

  it('refuses fewer shards than operators, because some would never act', async () => {
    const set = ['--set', 'replicas=4', '--set', 'shards=2'];
    const refused = await helm('template', CHART, '--kube-version', '1.36.0', ...set);
    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('shards: expected at least 4') });
  });

  it('has objects that the API server takes under strict validation, with every value set', async () => {
    await kube('create', 'namespace', 'equipoise');
    for (const args of [[], ['--values', values]]) {
      const apply = ['apply', '--server-side', '--dry-run=server', '--validate=strict', '-f', '-'];
      const text = await template(...args);
      const applied = await kubectl(['--kubeconfig', kubeconfig, ...apply], text);
      expect(applied, applied.stderr).toMatchObject({ exitCode: 0 });
    }
    await kube('delete', 'namespace', 'equipoise', '--wait=false');
  });

  it('is installed, upgraded with its definition, rolled back and uninstalled, and leaves nothing', async () => {
    await kube('create', 'namespace', 'chart');
    const before = await everything();
    const old = path.join(folder, 'old');
    cpSync(CHART, old, { recursive: true });
    const definition = path.join(old, 'templates', 'definition.yaml');
    writeFileSync(definition, readFileSync(definition, 'utf8').replace(/^( +- )infpipe$/m, '$1oldpipe'));

    await release('install', old, ...REMOVED);
    expect(await namesOfDefinition()).toContain('oldpipe');
    await release('upgrade', CHART, ...REMOVED, '--set', 'image.tag=0.2.0');
    expect(await imageInUse()).toBe('equipoise:0.2.0');
    expect(await namesOfDefinition()).toContain('infpipe');
    await release('rollback', '1');
    expect(await imageInUse()).toBe('equipoise:0.1.0');
    expect(await namesOfDefinition()).toContain('oldpipe');
    await release('uninstall');
    await expect.poll(everything, { timeout: 120_000 }).toEqual(before);
  });

  it('keeps the definition and the pipelines when it is uninstalled, and takes them over again', async () => {
    await release('install', CHART);
    await kube('wait', '--for=condition=Established', `crd/${DEFINITION}`, '--timeout=60s');
    const pipeline = JSON.stringify(goodPipeline());
    await expect
      .poll(() => kubectl(['--kubeconfig', kubeconfig, '-n', 'chart', 'apply', '-f', '-'], pipeline), {
        timeout: 60_000,
      })
      .toMatchObject({ exitCode: 0 });
    expect(await release('uninstall')).toContain(DEFINITION);
    expect(await kube('get', 'inferencepipelines', '-n', 'chart', '--output', 'name')).toContain('shelf');
    await release('install', CHART);
    expect(await kube('get', 'inferencepipelines', '-n', 'chart', '--output', 'name')).toContain('shelf');
    await release('uninstall');
    await kube('delete', 'crd', DEFINITION, '--timeout=60s');
  });
});
