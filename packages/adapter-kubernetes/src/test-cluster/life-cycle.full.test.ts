/** Upgrading and uninstalling, on a real control plane with its garbage collector: nothing restarts, hangs or stays. */
import { readFileSync } from 'node:fs';
import { describeWithTool } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import { pageOf, written } from '../api/conformance/subject.test-support.js';
import { OPERATOR_MANAGER } from '../api/field-managers.js';
import type { KubeObject } from '../api/kube-object.js';
import { childTypes, deployments, pipelines, pods } from '../cluster/observed-objects.js';
import { FINALIZER } from '../reconcile/reconcile.js';
import { customResources, eventually, namespaces } from './cluster-objects.test-support.js';
import { ClusterSuite } from './cluster-suite.test-support.js';
import { controlPlane } from './kube-binaries.test-support.js';
import { planWith } from './memory/pipeline-fixture.test-support.js';
import { SMALL, startOperator } from './operator-in-process.test-support.js';

describeWithTool(controlPlane, 'upgrading and uninstalling', () => {
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
  });

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
  });

  it('shares the pipeline and its objects with a GitOps tool', async () => {
    const { namespace, create, run, ref, settled, find, base, failures } = await startOperator(suite);
    const argo = { fieldManager: 'argocd-controller' };
    const { apiVersion, kind, spec } = await create();
    const tracked = { annotations: { 'argocd.argoproj.io/tracking-id': 'models:shelf' } };
    const desired = { apiVersion, kind, metadata: { name: 'shelf', namespace, ...tracked }, spec };
    written(await suite.admin.apply(pipelines, desired, argo));
    const abort = new AbortController();
    const ended = run(abort.signal);
    await settled();
    const synced = await suite.admin.get(ref);
    // The tool labels an object and sets a field that the operator does not apply.
    const router = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'shelf', namespace, ...tracked } };
    written(await suite.admin.apply(deployments, { ...router, spec: { minReadySeconds: 1 } } as never, argo));
    base.source.decide(`${namespace}/shelf`, planWith('small', 3));
    await eventually(async () => (await find(SMALL))?.spec.replicas === 3);
    await settled();
    // Without force: no field of the tool has another owner or value.
    const again = written(await suite.admin.apply(pipelines, desired, argo));
    expect(again.metadata.generation).toBe(synced?.metadata.generation);
    const live = await find('shelf');
    expect(live?.metadata.annotations).toMatchObject(tracked.annotations);
    expect(live?.spec).toMatchObject({ minReadySeconds: 1 });
    expect(failures).toEqual([]);
    abort.abort();
    await ended;
  });

  it('upgrades an operator of an earlier version without a restart of a pod', async () => {
    const { namespace, create, run, ref, settled, all, base } = await startOperator(suite);
    const { apiVersion, kind, metadata } = await create();
    const held = { apiVersion, kind, metadata: { name: 'shelf', namespace, finalizers: [FINALIZER] }, spec: undefined };
    written(await suite.admin.apply(pipelines, held, { fieldManager: OPERATOR_MANAGER }));
    const ownerReferences = [
      { apiVersion, kind, name: 'shelf', uid: metadata.uid ?? '', controller: true, blockOwnerDeletion: true },
    ];
    // Objects that the earlier version rendered for this pipeline and plan.
    const rendered = readFileSync(new URL('../deploy/fixtures/rendered-0.1.0.jsonl', import.meta.url), 'utf8');
    for (const line of rendered.trim().split('\n')) {
      const object = JSON.parse(line) as KubeObject;
      const owned = { ...object, metadata: { ...object.metadata, namespace, ownerReferences } };
      const type = childTypes[object.kind];
      if (type === undefined) throw new Error(`${object.kind} is not a child`);
      written(await base.api.apply(type, owned, { fieldManager: OPERATOR_MANAGER }));
    }
    const isUp = async () => (await all()).every(({ spec, status }) => status?.readyReplicas === spec.replicas);
    await eventually(isUp);
    const running = async () => ({
      pods: pageOf(await suite.admin.list({ type: pods, namespace })).objects.map((pod) => pod.metadata.uid),
      templates: (await all()).map(({ spec }) => spec.template),
    });
    const before = await running();
    const abort = new AbortController();
    const ended = run(abort.signal);
    await settled();
    await eventually(async () => (await suite.admin.get(ref))?.metadata.finalizers === undefined);
    expect(await running()).toEqual(before);
    abort.abort();
    await ended;
  });

  it('removes a namespace with a pipeline, without an operator', async () => {
    const { namespace, stopOperator } = await settledPipeline();
    await stopOperator();
    await suite.admin.delete({ type: namespaces, name: namespace });
    await eventually(async () => (await suite.admin.get({ type: namespaces, name: namespace })) === undefined);
  });

  // Last, because no pipeline can be created afterwards.
  it('removes all pipelines and their objects with the definition, without an operator', async () => {
    // The garbage collector learns of a new definition after up to 30 s. Pipelines that go before leave their objects.
    const first = await settledPipeline();
    await first.stopOperator();
    await suite.admin.delete(first.ref);
    await eventually(async () => (await first.left()).length === 0);
    const { stopOperator, left } = await settledPipeline();
    await stopOperator();
    const name = 'inferencepipelines.equipoise.dev';
    await suite.admin.delete({ type: customResources, name });
    await eventually(async () => (await suite.admin.get({ type: customResources, name })) === undefined);
    await eventually(async () => (await left()).length === 0);
  });
});
