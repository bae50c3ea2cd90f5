/** Uninstalling, on a real control plane with its garbage collector: nothing hangs, and nothing is left over. */
import { describeWithTool } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import { pageOf, written } from '../api/conformance/subject.test-support.js';
import { childTypes, deployments, pipelines, pods } from '../cluster/observed-objects.js';
import { FINALIZER } from '../reconcile/reconcile.js';
import { customResources, eventually, namespaces } from './cluster-objects.test-support.js';
import { ClusterSuite } from './cluster-suite.test-support.js';
import { controlPlane } from './kube-binaries.test-support.js';
import { startOperator } from './operator-in-process.test-support.js';

describeWithTool(controlPlane, 'uninstalling', () => {
  const suite = new ClusterSuite();

  async function settledPipeline() {
    const { namespace, create, run, settled, ref } = await startOperator(suite);
    await create();
    const abort = new AbortController();
    const running = run(abort.signal);
    await settled();
    const stopOperator = async () => {
      abort.abort();
      await running;
    };
    const left = async () => {
      const types = [pods, ...Object.values(childTypes)];
      const lists = await Promise.all(types.map(async (type) => pageOf(await suite.admin.list({ type, namespace }))));
      return lists.flatMap(({ objects }) => objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`));
    };
    return { namespace, ref, stopOperator, left };
  }

  it('leaves pipelines serving when only the operator is removed', async () => {
    const { namespace, ref, stopOperator, left } = await settledPipeline();
    const before = await left();
    await stopOperator();
    expect(await left()).toEqual(before);
    expect((await suite.admin.get(ref))?.metadata.finalizers).toBeUndefined();
    expect((await suite.admin.get({ type: deployments, namespace, name: 'shelf' }))?.status?.readyReplicas).toBe(1);
  }, 180_000);

  it('takes off the finalizer that an earlier operator set', async () => {
    const { namespace, create, run, ref, settled } = await startOperator(suite);
    await create();
    const { apiVersion, kind } = (await suite.admin.get(ref)) ?? { apiVersion: '', kind: '' };
    const held = { apiVersion, kind, metadata: { name: 'shelf', namespace, finalizers: [FINALIZER] }, spec: undefined };
    written(await suite.admin.apply(pipelines, held, { fieldManager: 'equipoise-operator' }));
    const abort = new AbortController();
    const running = run(abort.signal);
    await settled();
    await eventually(async () => (await suite.admin.get(ref))?.metadata.finalizers === undefined);
    abort.abort();
    await running;
  }, 180_000);

  it('removes a namespace with a pipeline, without an operator', async () => {
    const { namespace, stopOperator } = await settledPipeline();
    await stopOperator();
    await suite.admin.delete({ type: namespaces, name: namespace });
    await eventually(async () => (await suite.admin.get({ type: namespaces, name: namespace })) === undefined, 180_000);
  }, 360_000);

  // Last, because no pipeline can be created afterwards.
  it('removes all pipelines and their objects with the definition, without an operator', async () => {
    const { stopOperator, left } = await settledPipeline();
    await stopOperator();
    const name = 'inferencepipelines.equipoise.dev';
    await suite.admin.delete({ type: customResources, name });
    await eventually(async () => (await suite.admin.get({ type: customResources, name })) === undefined, 180_000);
    await eventually(async () => (await left()).length === 0, 180_000);
  }, 420_000);
});
