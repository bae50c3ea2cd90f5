/** An operator takes over a pipeline that `k8s apply` deployed. */
import { type Plan, SeededRng } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import { written } from '../api/conformance/subject.test-support.js';
import { MemoryKube } from '../api/memory/memory-kube.test-support.js';
import { MemoryKubeApi } from '../api/memory/memory-kube-api.test-support.js';
import { childTypes, deployments, pipelines } from '../cluster/observed-objects.js';
import { heard, LARGE, ROUTER, SMALL, well } from '../test-cluster/memory/canary-rig.test-support.js';
import { clusterResources, MemoryCluster } from '../test-cluster/memory/memory-cluster.test-support.js';
import {
  images,
  NOW_EPOCH_MS,
  objectsOf,
  planWith,
  shelf,
  ToldPlans,
  wantedBy,
} from '../test-cluster/memory/pipeline-fixture.test-support.js';
import { applyObjects } from './deployed-pipeline.js';
import { Operator } from './operator.js';

/** Cluster with the objects of `k8s apply`, and an operator that starts with another plan. */
async function takeOver(brought: Plan, source: ToldPlans) {
  const clock = new ManualClock();
  const kube = new MemoryKube(clock, clusterResources);
  const cluster = new MemoryCluster(kube, clock);
  const [admin, api] = [new MemoryKubeApi(kube), new MemoryKubeApi(kube)];
  const { metadata, ...rest } = shelf();
  const pipeline = { ...rest, metadata: { name: metadata.name, namespace: 'n' } };
  const pass = (durationMs: number) => clock.advanceTo(clock.nowMs() + durationMs);
  await applyObjects(admin, objectsOf(await wantedBy(shelf(), brought)), { pipeline: 'shelf', force: false });
  await pass(3_000);
  written(await admin.create(pipelines, pipeline, { fieldManager: 'kubectl' }));
  const abort = new AbortController();
  const running = new Operator({
    ...{ api, clock, rng: new SeededRng(1), nowEpochMs: () => NOW_EPOCH_MS + clock.nowMs(), source },
    imagesOf: () => images,
    onFailure: () => {},
  }).run(abort.signal);
  const find = (name: string) => admin.get({ type: deployments, namespace: 'n', name });
  const status = async () => (await admin.get({ type: pipelines, namespace: 'n', name: 'shelf' }))?.status;
  const stop = async () => {
    abort.abort();
    await running;
  };
  return { clock, cluster, admin, pass, find, status, stop };
}

it('owns it from then on, with more or fewer replicas, and tells of nobody foreign', async () => {
  const source = new ToldPlans(planWith('small', 2));
  const { pass, find, status, stop } = await takeOver(planWith('small', 4), source);
  const small = () => find(SMALL);
  await pass(20_000);
  expect(await small()).toMatchObject({ spec: { replicas: 2 }, metadata: { ownerReferences: [{ name: 'shelf' }] } });
  source.decide('n/shelf', planWith('small', 3));
  await pass(20_000);
  expect((await small())?.spec.replicas).toBe(3);
  const { conditions } = (await status()) ?? {};
  expect(conditions?.find(({ type }) => type === 'Degraded')).toMatchObject({ status: 'False' });
  await stop();
});

it.each([
  ['in steps', false, [0, 0.1, 0.5]],
  // Without the router's file, its targets are unknown.
  ['at once where the file of the router is gone', true, []],
])('keeps what serves until another variant has all requests, %s', async (_, isFileGone, steps) => {
  const source = new ToldPlans(planWith('large', 2));
  source.situation = () => ({ ...heard, sides: well });
  const { clock, cluster, admin, find, status, stop } = await takeOver(planWith('small', 2), source);
  cluster.readyAfterMs = (pod) => (pod.metadata.name.startsWith(LARGE) ? 10_000 : 500);
  if (isFileGone) await admin.delete({ type: childTypes['ConfigMap'] as never, namespace: 'n', name: ROUTER });
  const shares = new Set<number>();
  for (let looks = 0; (await find(SMALL)) !== undefined; looks++) {
    expect((await find(SMALL))?.status?.readyReplicas).toBe(2);
    const { shift } = (await status()) ?? {};
    if (shift !== undefined) shares.add(shift.fraction);
    // A plan that served before is not on trial.
    expect(shift?.workloads ?? [LARGE]).toEqual([LARGE]);
    if (looks > 500) throw new Error('the old variant does not go');
    await clock.advanceTo(clock.nextAlarmAtMs);
  }
  expect([...shares]).toEqual(steps);
  expect((await find(LARGE))?.status?.readyReplicas).toBe(2);
  await stop();
});
