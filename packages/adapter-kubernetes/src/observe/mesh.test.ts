import { ManualClock } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import { written } from '../api/conformance/subject.test-support.js';
import type { KubeObject, ResourceType } from '../api/kube-object.js';
import { MemoryKube } from '../api/memory/memory-kube.test-support.js';
import { MemoryKubeApi } from '../api/memory/memory-kube-api.test-support.js';
import { labelsOf } from '../cluster/object-names.js';
import { meshTypes, type ObservedPod } from '../cluster/observed-objects.js';
import { shelf } from '../test-cluster/memory/pipeline-fixture.test-support.js';
import { Meshes } from './mesh.js';

const podOf = (kind: 'router' | 'next'): ObservedPod => ({
  ...{ apiVersion: 'v1', kind: 'Pod' },
  metadata: { name: kind, namespace: 'n', labels: labelsOf('shelf', { kind }) },
  spec: { containers: [{ name: 'istio-proxy' }] },
});

it('lists the routes of a pipeline in each pass only while it has routes or a canary router', async () => {
  const clock = new ManualClock();
  const kube = new MemoryKube(
    clock,
    Object.values(meshTypes).map((type) => ({ type })),
  );
  const api = new MemoryKubeApi(kube);
  const meshes = new Meshes({ api, clock });
  const lists = async (...pods: readonly ObservedPod[]) => {
    api.calls.splice(0);
    const mesh = await meshes.of(shelf(), pods);
    return { lists: api.calls.length, objects: mesh?.objects.map(({ kind }) => kind) };
  };
  const [router, next] = [podOf('router'), podOf('next')];
  expect(await lists(router)).toEqual({ lists: 3, objects: [] });
  await clock.advanceTo(9_000);
  expect(await lists(router)).toEqual({ lists: 0, objects: [] });
  expect(await lists(router, next)).toEqual({ lists: 3, objects: [] });

  const route: KubeObject = {
    ...{ apiVersion: 'gateway.networking.k8s.io/v1', kind: 'HTTPRoute' },
    metadata: { name: 'shelf--next', namespace: 'n', labels: labelsOf('shelf', { kind: 'next' }) },
  };
  const type = meshTypes['HTTPRoute'] as ResourceType;
  written(await new MemoryKubeApi(kube).create(type, route, { fieldManager: 'test' }));
  expect(await lists(router, next)).toEqual({ lists: 3, objects: ['HTTPRoute'] });
  expect(await lists(router)).toEqual({ lists: 3, objects: ['HTTPRoute'] });
  await new MemoryKubeApi(kube).delete({ type, namespace: 'n', name: 'shelf--next' });
  expect(await lists(router)).toEqual({ lists: 3, objects: [] });
  expect(await lists(router)).toEqual({ lists: 0, objects: [] });
  meshes.forget('n/shelf');
  expect(await lists(router)).toEqual({ lists: 3, objects: [] });
});
