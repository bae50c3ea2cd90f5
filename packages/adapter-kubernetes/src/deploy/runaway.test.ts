/** Checks held cores and the status during changes with little headroom or with pods that never become ready. */
import { SeededRng } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import { written } from '../api/conformance/subject.test-support.js';
import type { KubeObject } from '../api/kube-object.js';
import { MemoryKube } from '../api/memory/memory-kube.test-support.js';
import { MemoryKubeApi } from '../api/memory/memory-kube-api.test-support.js';
import { deployments, isReady, isStage, type ObservedPod, pipelines, pods } from '../cluster/observed-objects.js';
import { clusterResources, MemoryCluster } from '../test-cluster/memory/memory-cluster.test-support.js';
import {
  images,
  NOW_EPOCH_MS,
  planWith,
  shelf,
  ToldPlans,
} from '../test-cluster/memory/pipeline-fixture.test-support.js';
import { Operator } from './operator.js';

const namespace = 'n';
const KEY = 'n/shelf';
const [SMALL, LARGE, ROUTER] = ['shelf--detect--small', 'shelf--detect--large', 'shelf'];
/** Every replica has one core, so the default surge is one. */
const SURGE = 1;

/** Operator on a pipeline in memory with a budget, and its pods over time. */
async function start(budgetCpuCores: number, first = planWith('small', 2)) {
  const clock = new ManualClock();
  const kube = new MemoryKube(clock, clusterResources);
  const cluster = new MemoryCluster(kube, clock);
  const [admin, api] = [new MemoryKubeApi(kube), new MemoryKubeApi(kube)];
  const source = new ToldPlans(first);
  const { metadata, ...rest } = shelf({ budgetCpuCores });
  const { name } = metadata;
  written(await admin.create(pipelines, { ...rest, metadata: { name, namespace } }, { fieldManager: 'kubectl' }));
  const abort = new AbortController();
  const running = new Operator({
    ...{ api, clock, rng: new SeededRng(1), nowEpochMs: () => NOW_EPOCH_MS + clock.nowMs(), source },
    imagesOf: () => images,
    onFailure: () => {},
  }).run(abort.signal);
  const stagePods = async (): Promise<readonly ObservedPod[]> => {
    const page = await admin.list({ type: pods });
    return page.kind === 'page' ? page.objects.filter(isStage) : [];
  };
  const condition = async (type: string) =>
    (await admin.get({ type: pipelines, namespace, name }))?.status?.conditions?.find((each) => each.type === type);
  /** Advances time; returns the maximum of pods and the minimum of ready pods of `detect` meanwhile. */
  const pass = async (durationMs: number): Promise<{ most: number; fewestReady: number; phases: Set<string> }> => {
    let [most, fewestReady] = [0, Number.POSITIVE_INFINITY];
    const phases = new Set<string>();
    const endsAtMs = clock.nowMs() + durationMs;
    while (clock.nowMs() < endsAtMs) {
      await clock.advanceTo(Math.min(endsAtMs, clock.nextAlarmAtMs));
      const now = await stagePods();
      most = Math.max(most, now.length);
      const ready = now.filter((pod) => isReady(pod) && pod.metadata.name.includes('detect'));
      fewestReady = Math.min(fewestReady, ready.length);
      phases.add((await condition('Ready'))?.reason ?? '');
    }
    return { most, fewestReady, phases };
  };
  const skip = (durationMs: number) => clock.advanceTo(clock.nowMs() + durationMs);
  const find = (deployment: string) => admin.get({ type: deployments, namespace, name: deployment });
  const stop = async () => {
    abort.abort();
    await running;
    cluster.stop();
  };
  return { cluster, source, condition, stagePods, pass, skip, find, stop };
}

describe('a change within budget and surge', () => {
  it('exchanges replicas one by one behind a router that sends to both', async () => {
    const { cluster, source, pass, find, condition, stop } = await start(4, planWith('small', 3));
    await pass(3_000);
    cluster.readyAfterMs = () => 700;
    cluster.stopMs = 1_500;
    source.decide(KEY, planWith('large', 3));
    const { most, fewestReady, phases } = await pass(20_000);
    expect(most).toBeLessThanOrEqual(4 + SURGE);
    expect(fewestReady).toBeGreaterThanOrEqual(3);
    expect([...phases]).toEqual(expect.arrayContaining(['Sharing', 'AllReady']));
    expect(await condition('Ready')).toMatchObject({ status: 'True' });
    expect((await find(LARGE))?.status?.readyReplicas).toBe(3);
    expect(await find(SMALL)).toBeUndefined();
    await stop();
  });

  it('turns back in the middle of an exchange', async () => {
    const { cluster, source, pass, find, condition, stop } = await start(4, planWith('small', 3));
    await pass(3_000);
    cluster.readyAfterMs = () => 700;
    cluster.stopMs = 1_500;
    source.decide(KEY, planWith('large', 3));
    const there = await pass(7_000);
    expect((await find(SMALL))?.spec.replicas).toBeLessThan(3);
    source.decide(KEY, planWith('small', 3));
    const back = await pass(20_000);
    expect(Math.max(there.most, back.most)).toBeLessThanOrEqual(4 + SURGE);
    expect(Math.min(there.fewestReady, back.fewestReady)).toBeGreaterThanOrEqual(3);
    expect(await condition('Ready')).toMatchObject({ status: 'True' });
    expect((await find(SMALL))?.status?.readyReplicas).toBe(3);
    expect(await find(LARGE)).toBeUndefined();
    await stop();
  });

  it('holds the bound in a row of random plans', async () => {
    const { cluster, source, pass, condition, find, stop } = await start(4, planWith('small', 3));
    await pass(3_000);
    cluster.readyAfterMs = () => 400;
    cluster.stopMs = 900;
    const rng = new SeededRng(7);
    for (let change = 0; change < 5; change++) {
      source.decide(KEY, planWith(rng.next() < 0.5 ? 'small' : 'large', 1 + Math.floor(3 * rng.next())));
      expect((await pass(500 + 6_000 * rng.next())).most).toBeLessThanOrEqual(4 + SURGE);
    }
    source.decide(KEY, planWith('large', 2));
    expect((await pass(20_000)).most).toBeLessThanOrEqual(4 + SURGE);
    expect(await condition('Ready')).toMatchObject({ status: 'True' });
    expect([(await find(LARGE))?.status?.readyReplicas, await find(SMALL)]).toEqual([2, undefined]);
    await stop();
  });
});

const troubles = [
  ['is never ready', 'RolloutStuck', { readyAfterMs: () => Number.POSITIVE_INFINITY }],
  ['crash-loops', 'CrashLoop', { waitingFor: () => 'CrashLoopBackOff' }],
  ['has no image', 'ImageUnavailable', { waitingFor: () => 'ImagePullBackOff' }],
] as const;

describe('a variant that never comes up', () => {
  it.each(troubles)(
    'that %s costs no more than the room, is told, and does not stop the next plan',
    async (_, reason, spoil) => {
      const { cluster, source, stagePods, pass, skip, find, condition, stop } = await start(4);
      await pass(3_000);
      const only = (pod: KubeObject) => pod.metadata.name.startsWith(LARGE);
      const ready: (pod: KubeObject) => number = 'readyAfterMs' in spoil ? spoil.readyAfterMs : () => 0;
      cluster.readyAfterMs = (pod) => (only(pod) ? ready(pod) : 0);
      cluster.waitingFor = (pod) => (only(pod) && 'waitingFor' in spoil ? spoil.waitingFor() : undefined);
      cluster.stuckAfterMs = 20_000;
      source.decide(KEY, planWith('large', 3));
      const failing = await pass(10_000);
      await skip(15_000);
      expect((await stagePods()).length).toBeLessThanOrEqual(4 + SURGE);
      expect(failing.most).toBeLessThanOrEqual(4 + SURGE);
      expect(failing.fewestReady).toBeGreaterThanOrEqual(2);
      expect(await condition('Degraded')).toMatchObject({ status: 'True', reason });
      expect((await find(ROUTER))?.status?.readyReplicas).toBe(1);

      source.decide(KEY, planWith('small', 3));
      const after = await pass(10_000);
      expect(after.most).toBeLessThanOrEqual(4 + SURGE);
      expect(await condition('Ready')).toMatchObject({ status: 'True' });
      expect(await condition('Degraded')).toMatchObject({ status: 'False' });
      expect([(await find(SMALL))?.status?.readyReplicas, await find(LARGE)]).toEqual([3, undefined]);
      await stop();
    },
  );

  it('is not started again and again by plans that come one after the other', async () => {
    const { cluster, source, pass, condition, stop } = await start(4);
    await pass(3_000);
    cluster.waitingFor = ({ metadata }) => (metadata.name.startsWith(LARGE) ? 'CrashLoopBackOff' : undefined);
    for (let round = 0; round < 12; round++) {
      source.decide(KEY, planWith('large', 1 + (round % 3), round % 2 === 0 ? 1 : 2));
      const { most, fewestReady } = await pass(3_000);
      expect(most).toBeLessThanOrEqual(4 + SURGE);
      expect(fewestReady).toBeGreaterThanOrEqual(2);
    }
    expect(await condition('Degraded')).toMatchObject({ status: 'True', reason: 'CrashLoop' });
    await stop();
  });
});
