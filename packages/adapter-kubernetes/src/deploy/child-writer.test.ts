import { SeededRng } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import { written } from '../api/conformance/subject.test-support.js';
import { OPERATOR_MANAGER } from '../api/field-managers.js';
import type { KubeObject } from '../api/kube-object.js';
import { MemoryKube } from '../api/memory/memory-kube.test-support.js';
import { MemoryKubeApi } from '../api/memory/memory-kube-api.test-support.js';
import { deployments } from '../cluster/observed-objects.js';
import { clusterResources } from '../test-cluster/memory/memory-cluster.test-support.js';
import { ChildWriter, childId } from './child-writer.js';

const owner = { key: 'n/p', name: 'p', uid: 'uid-p' };
/** Metadata of an object of the pipeline. */
const ours = {
  ownerReferences: [
    { apiVersion: 'equipoise.dev/v1alpha1', kind: 'InferencePipeline', name: 'p', uid: 'uid-p', controller: true },
  ],
};
const human = { fieldManager: 'kubectl', force: true };

const configMap = (name: string, text = ''): KubeObject =>
  ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'n', ...ours }, data: { text } }) as KubeObject;
const deployment = (name: string, replicas = 1): KubeObject =>
  ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'n', ...ours },
    spec: { replicas },
  }) as KubeObject;

/** A writer; `live`: objects that its watch has shown. */
function start() {
  const clock = new ManualClock();
  const kube = new MemoryKube(clock, clusterResources);
  const [api, admin] = [new MemoryKubeApi(kube), new MemoryKubeApi(kube)];
  const applier = { fieldManager: OPERATOR_MANAGER, force: true };
  const writer = new ChildWriter({ api, clock, rng: new SeededRng(1), applier });
  const live = new Map<string, KubeObject>();
  const types = clusterResources.map(({ type }) => type);
  const show = async () => {
    live.clear();
    for (const type of types) {
      const page = await admin.list({ type });
      for (const object of page.kind === 'page' ? page.objects : []) live.set(childId(object), object);
    }
  };
  const typeOf = (object: KubeObject) => {
    const type = types.find(({ kind }) => kind === object.kind);
    if (type === undefined) throw new Error(`no resource of kind ${object.kind}`);
    return type;
  };
  const apply = async (...objects: readonly KubeObject[]) => {
    const { objects: written, againAfterMs } = await writer.apply(owner, objects, live);
    return { names: written.map(({ metadata }) => metadata.name), againAfterMs };
  };
  const change = (object: KubeObject) => admin.apply(typeOf(object), object, human);
  const remove = ({ kind, metadata }: KubeObject) =>
    admin.delete({ type: typeOf({ apiVersion: '', kind, metadata }), name: metadata.name, namespace: 'n' });
  return { clock, kube, api, writer, live, show, apply, change, remove };
}

describe('ChildWriter', () => {
  it('forgets what it wrote for a pipeline that is gone', async () => {
    const { apply, show, writer } = start();
    await apply(configMap('a'));
    await show();
    writer.forget('n/another');
    expect((await apply(configMap('a'))).names).toEqual([]);
    writer.forget('n/p');
    expect((await apply(configMap('a'))).names).toEqual(['a']);
  });

  it('writes what is new or changed, and nothing twice', async () => {
    const { apply, show } = start();
    expect(await apply(configMap('a'), deployment('b'))).toMatchObject({ names: ['a', 'b'] });
    await show();
    expect(await apply(configMap('a'), deployment('b'))).toEqual({ names: [], againAfterMs: undefined });
    expect(await apply(configMap('a', 'new'), deployment('b', 2))).toMatchObject({ names: ['a', 'b'] });
  });

  it('writes what pods need before what starts them', async () => {
    const { apply, api } = start();
    await apply(deployment('b'), configMap('a'), configMap('c'));
    expect(api.calls.filter((call) => call.startsWith('create'))).toEqual([
      'create configmaps',
      'create configmaps',
      'create deployments',
    ]);
  });

  it('waits some seconds for the watch to show what was written, and asks to be asked again', async () => {
    const { apply, clock } = start();
    await apply(configMap('a'));
    await clock.advanceTo(4_999);
    expect(await apply(configMap('a'))).toEqual({ names: [], againAfterMs: 5_000 });
    await clock.advanceTo(5_000);
    expect(await apply(configMap('a'))).toMatchObject({ names: ['a'] });
  });

  it('does not take what others have changed or deleted for what it has written', async () => {
    const { apply, change, remove, show } = start();
    await apply(configMap('a'), deployment('b'));
    await show();
    await apply(configMap('a'), deployment('b'));
    await change(configMap('a', 'spoiled'));
    await remove(deployment('b'));
    await show();
    expect(await apply(configMap('a'), deployment('b'))).toMatchObject({ names: ['a', 'b'] });
  });

  it.each([
    ['labels', { labels: {} }],
    ['annotations', { annotations: {} }],
    ['owners', { ownerReferences: [] }],
  ])('puts back %s, which no generation counts', async (_, spoiled) => {
    const { apply, api, show, live, kube } = start();
    const wanted = {
      ...deployment('b'),
      metadata: {
        ...deployment('b').metadata,
        labels: { 'equipoise.dev/pipeline': 'p' },
        annotations: { 'equipoise.dev/routes-to': 'c' },
      },
    };
    await apply(wanted);
    await show();
    expect((await apply(wanted)).names).toEqual([]);
    const present = live.get('Deployment n/b');
    const changed = { ...present, metadata: { ...present?.metadata, ...spoiled } };
    written(await new MemoryKubeApi(kube).replace(deployments, changed as never, human));
    await show();
    expect((await apply(wanted)).names).toEqual(['b']);
    await show();
    expect((await apply(wanted)).names).toEqual([]);
    expect(api.calls.filter((call) => call === 'apply deployments')).toHaveLength(1);
    const { labels, annotations } = wanted.metadata;
    expect(live.get('Deployment n/b')?.metadata).toMatchObject({ labels, annotations, ...ours });
  });

  it('leaves a Deployment alone whose status changes', async () => {
    const { apply, api, show } = start();
    await apply(deployment('b'));
    const type = clusterResources.find(({ type: { kind } }) => kind === 'Deployment')?.type;
    if (type === undefined) throw new Error('there are Deployments');
    await api.applyStatus(type, { ...deployment('b'), status: { replicas: 1 } } as KubeObject, human);
    await show();
    expect(await apply(deployment('b'))).toMatchObject({ names: [] });
  });
});
