/** The shipped operator on a real node: installed, it runs a pipeline and names faults of its pods; removed, it leaves nothing. */
import { fileURLToPath } from 'node:url';
import { describeWithTool } from '@equipoise/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually, kube, kubectl, NodeNamespace, realNode, runningNode } from './node-namespace.test-support.js';
import { EATING_WORD } from './node-setup.test-support.js';
import { post, SteadyLoad } from './steady-load.test-support.js';

const manifests = (name: string): string => fileURLToPath(new URL(`../../../../deploy/${name}`, import.meta.url));
const definition = manifests('kubernetes-definition');
const operator = manifests('kubernetes');
const RPS = 2;
const ABSENT = 'local/absent:1';

describeWithTool(realNode, 'the operator on a Kubernetes node', () => {
  const namespace = new NodeNamespace('equipoise');

  beforeAll(async () => {
    await kube(['apply', '--server-side', '--kustomize', definition]);
    const established = ['--for=condition=Established', 'crd/inferencepipelines.equipoise.dev', '--timeout=300s'];
    await kube(['wait', ...established]);
    await kube(['apply', '--server-side', '--kustomize', operator]);
    await namespace.kube('rollout', 'status', 'deployment/equipoise-operator', '--timeout=300s');
  });

  afterAll(async () => {
    if (!realNode.isPresent()) return;
    await kubectl(['delete', '--kustomize', definition, '--wait=false', '--ignore-not-found']);
    await namespace.remove();
  });

  async function condition(type: string): Promise<{ readonly reason: string; readonly message: string }> {
    const path = `{.status.conditions[?(@.type=="${type}")]}`;
    const text = await namespace.kube('get', 'inferencepipeline', 'language', '--output', `jsonpath=${path}`);
    return text === '' ? { reason: '', message: '' } : (JSON.parse(text) as { reason: string; message: string });
  }

  const becomes = (type: string, reason: string): Promise<void> =>
    eventually(`${type} is ${reason}`, async () => (await condition(type)).reason === reason);

  async function applyPipeline(image: string): Promise<void> {
    const { pipeline } = runningNode();
    const made = await namespace.k8s('pipeline', pipeline, '--arrival-rps', String(RPS), '--image', image);
    if (made.exitCode !== 0) throw new Error(made.stderr);
    await kube(['apply', '--server-side', '-f', '-'], made.stdout);
  }

  it('plans a pipeline and runs it', async () => {
    await applyPipeline(runningNode().image);
    await becomes('Ready', 'AllReady');
    expect(await post(await namespace.routerUrl())).toBeUndefined();
  });

  it('names an image that is missing, and keeps what runs', async () => {
    const load = new SteadyLoad(await namespace.routerUrl(), RPS);
    try {
      await applyPipeline(ABSENT);
      await eventually('the missing image is named', async () =>
        (await condition('Degraded')).message.includes(ABSENT),
      );
      await applyPipeline(runningNode().image);
      await becomes('Degraded', 'AsPlanned');
      await becomes('Ready', 'AllReady');
    } finally {
      expect((await load.end()).failures).toEqual([]);
    }
  });

  it('names a container that was killed at its memory limit, and serves again', async () => {
    const url = await namespace.routerUrl();
    const eating = post(url, EATING_WORD);
    await becomes('Degraded', 'OutOfMemory');
    expect((await condition('Degraded')).message).toMatch(/killed at its memory limit/);
    await eating;
    await eventually('requests are answered', async () => (await post(url)) === undefined);
  });

  it('leaves nothing when it is uninstalled with its pipeline', async () => {
    await kube(['delete', '--kustomize', operator, '--timeout=300s']);
    await kube(['delete', '--kustomize', definition, '--timeout=300s']);
    const kinds = 'namespaces,customresourcedefinitions,clusterroles,clusterrolebindings';
    expect(await kube(['get', kinds, '--output', 'name'])).not.toContain('equipoise');
    expect(await kube(['get', 'deployments,services,pods', '--all-namespaces', '--output', 'name'])).not.toMatch(
      /equipoise|language/,
    );
  });
});
