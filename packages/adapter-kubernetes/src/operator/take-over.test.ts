/** A pipeline that `k8s apply` brought to a cluster, when an operator begins to look after it. */
import { SeededRng } from '@equipoise/core';
import { ManualClock } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import { written } from '../api/conformance/subject.test-support.js';
import { MemoryKube } from '../api/memory/memory-kube.test-support.js';
import { MemoryKubeApi } from '../api/memory/memory-kube-api.test-support.js';
import { applyObjects } from '../deploy/deployed-pipeline.js';
import { clusterResources, MemoryCluster } from './memory-cluster.test-support.js';
import { deployments, pipelines } from './observed-objects.js';
import { Operator } from './operator.js';
import {
  images,
  NOW_EPOCH_MS,
  objectsOf,
  planWith,
  shelf,
  ToldPlans,
  wantedBy,
} from './pipeline-fixture.test-support.js';

it('owns it from then on, with more or fewer replicas, and tells of nobody foreign', async () => {
  const clock = new ManualClock();
  const kube = new MemoryKube(clock, clusterResources);
  new MemoryCluster(kube, clock);
  const [admin, api] = [new MemoryKubeApi(kube), new MemoryKubeApi(kube)];
  const { metadata, ...rest } = shelf();
  const pipeline = { ...rest, metadata: { name: metadata.name, namespace: 'n' } };
  const pass = (durationMs: number) => clock.advanceTo(clock.nowMs() + durationMs);
  await applyObjects(admin, objectsOf(await wantedBy(shelf(), planWith('small', 4))), { force: false });
  await pass(3_000);
  written(await admin.create(pipelines, pipeline, { fieldManager: 'kubectl' }));

  const source = new ToldPlans(planWith('small', 2));
  const abort = new AbortController();
  const running = new Operator({
    ...{ api, clock, rng: new SeededRng(1), nowEpochMs: () => NOW_EPOCH_MS + clock.nowMs(), source },
    imagesOf: () => images,
    failed: () => {},
  }).run(abort.signal);
  const small = async () => admin.get({ type: deployments, namespace: 'n', name: 'shelf--detect--small' });
  await pass(20_000);
  expect(await small()).toMatchObject({ spec: { replicas: 2 }, metadata: { ownerReferences: [{ name: 'shelf' }] } });
  source.decide('n/shelf', planWith('small', 3));
  await pass(20_000);
  expect((await small())?.spec.replicas).toBe(3);
  const { conditions } = (await admin.get({ type: pipelines, namespace: 'n', name: 'shelf' }))?.status ?? {};
  expect(conditions?.find(({ type }) => type === 'Degraded')).toMatchObject({ status: 'False' });
  abort.abort();
  await running;
});
