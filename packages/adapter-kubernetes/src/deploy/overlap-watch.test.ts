import { SeededRng } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import { written } from '../api/conformance/subject.test-support.js';
import { MemoryKube } from '../api/memory/memory-kube.test-support.js';
import { MemoryKubeApi } from '../api/memory/memory-kube-api.test-support.js';
import { type InferencePipeline, pipelines } from '../cluster/observed-objects.js';
import { clusterResources, MemoryCluster } from '../test-cluster/memory/memory-cluster.test-support.js';
import {
  images,
  NOW_EPOCH_MS,
  planWith,
  shelf,
  ToldPlans,
} from '../test-cluster/memory/pipeline-fixture.test-support.js';
import { Operator } from './operator.js';
import { OverlapWatch } from './overlap-watch.js';

const KEY = 'n/shelf';

/** A version of a pipeline whose status tells a generation. */
const version = (number: number, observedGeneration = number): InferencePipeline =>
  ({
    ...shelf({ metadata: { resourceVersion: String(number) } }),
    status: { observedGeneration },
  }) as InferencePipeline;

function start() {
  const clock = new ManualClock();
  const watch = new OverlapWatch(clock);
  watch.noteVersion(KEY, version(9));
  watch.noteWrite(KEY, version(10));
  const look = (...versions: readonly InferencePipeline[]): void => {
    for (const each of versions) watch.noteVersion(KEY, each);
    watch.look(KEY);
  };
  return { clock, watch, look };
}

const foreign = [version(11), version(12), version(13)];

describe('OverlapWatch', () => {
  it('takes three other statuses for those of another operator, for two minutes', async () => {
    const { clock, watch, look } = start();
    look(...foreign.slice(0, 2));
    expect(watch.hasOverlap(KEY)).toBe(false);
    look(...foreign.slice(2));
    expect(watch.hasOverlap(KEY)).toBe(true);
    expect(watch.hasOverlap('n/other')).toBe(false);
    await clock.advanceTo(119_999);
    expect(watch.hasOverlap(KEY)).toBe(true);
    await clock.advanceTo(120_000);
    expect(watch.hasOverlap(KEY)).toBe(false);
  });

  it('takes own versions for no overlap, in whatever order their answers come', () => {
    const { watch, look } = start();
    watch.noteVersion(KEY, version(11));
    watch.noteWrite(KEY, version(11));
    watch.noteWrite(KEY, version(12));
    look(version(12));
    watch.noteWrite(KEY, version(13));
    look(version(13));
    expect(watch.hasOverlap(KEY)).toBe(false);
  });

  it('takes versions with the same status for no overlap', () => {
    const { watch, look } = start();
    look(version(10), version(11, 10), version(12, 10), version(13, 10));
    expect(watch.hasOverlap(KEY)).toBe(false);
  });

  it('takes the version after an unanswered write for an own one', () => {
    const { watch, look } = start();
    watch.noteLoss(KEY);
    look(...foreign);
    expect(watch.hasOverlap(KEY)).toBe(false);
    look(version(14));
    expect(watch.hasOverlap(KEY)).toBe(true);
  });

  it('leaves a pipeline of two operators alone for ten seconds after a write', async () => {
    const { clock, watch, look } = start();
    expect(watch.restMs(KEY)).toBe(0);
    look(...foreign);
    await clock.advanceTo(4_000);
    expect(watch.restMs(KEY)).toBe(6_000);
    await clock.advanceTo(10_000);
    expect(watch.restMs(KEY)).toBe(0);
    watch.noteWrite(KEY, version(14));
    expect(watch.restMs(KEY)).toBe(10_000);
    watch.forget(KEY);
    expect([watch.restMs(KEY), watch.hasOverlap(KEY)]).toEqual([0, false]);
  });
});

describe('two operators over one namespace', () => {
  it('say so, write a status every ten seconds at most, and forget it once one has gone', async () => {
    const clock = new ManualClock();
    const kube = new MemoryKube(clock, clusterResources);
    const cluster = new MemoryCluster(kube, clock);
    const admin = new MemoryKubeApi(kube);
    const { metadata: _, ...rest } = shelf();
    const ref = { type: pipelines, namespace: 'n', name: 'shelf' };
    const { name, namespace } = ref;
    written(await admin.create(pipelines, { ...rest, metadata: { name, namespace } }, { fieldManager: 'kubectl' }));
    const operate = (replicas: number) => {
      const api = new MemoryKubeApi(kube);
      const abort = new AbortController();
      const running = new Operator({
        ...{ api, clock, rng: new SeededRng(replicas), nowEpochMs: () => NOW_EPOCH_MS + clock.nowMs() },
        source: new ToldPlans(planWith('small', replicas)),
        imagesOf: () => images,
        onFailure: () => {},
      }).run(abort.signal);
      const stop = async (): Promise<void> => {
        abort.abort();
        await running;
      };
      return { api, stop };
    };
    const degraded = async () => (await admin.get(ref))?.status?.conditions?.find(({ type }) => type === 'Degraded');
    const statusWrites = (api: MemoryKubeApi): number =>
      api.calls.filter((call) => call === 'apply-status inferencepipelines').length;
    const [stays, goes] = [operate(2), operate(3)];
    // The operator that notices the other first slows down, so the other one notices it later.
    await clock.advanceTo(60_000);
    expect(await degraded()).toMatchObject({ status: 'True', reason: 'OperatorsOverlap' });
    for (const { api } of [stays, goes]) api.calls.splice(0);
    await clock.advanceTo(120_000);
    for (const { api } of [stays, goes]) expect(statusWrites(api)).toBeLessThanOrEqual(7);
    await goes.stop();
    await clock.advanceTo(280_000);
    expect(await degraded()).toMatchObject({ status: 'False' });
    await stays.stop();
    cluster.stop();
  });
});
