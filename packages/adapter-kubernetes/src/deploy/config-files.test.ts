/** Pods mount the file of their own template, also while a rollout is stuck. */
import { SeededRng, stageId } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import { written } from '../api/conformance/subject.test-support.js';
import type { KubeObject, ResourceType } from '../api/kube-object.js';
import { MemoryKube } from '../api/memory/memory-kube.test-support.js';
import { MemoryKubeApi } from '../api/memory/memory-kube-api.test-support.js';
import { childTypes, type ObservedPod, pipelines, pods } from '../cluster/observed-objects.js';
import { fileDigest, filesOf } from '../render/config-files.js';
import type { ConfigMap, PodSpec } from '../render/manifest-types.js';
import { CONFIG_DIGEST, CONFIG_VOLUME } from '../render/pod-template.js';
import { clusterResources, MemoryCluster } from '../test-cluster/memory/memory-cluster.test-support.js';
import {
  images,
  NOW_EPOCH_MS,
  planWith,
  shelf,
  ToldPlans,
} from '../test-cluster/memory/pipeline-fixture.test-support.js';
import { Operator } from './operator.js';

const KEY = 'n/shelf';
const SMALL = 'shelf--detect--small';
const configMaps = childTypes['ConfigMap'] as ResourceType<ConfigMap>;

const digestOfPod = ({ metadata }: ObservedPod): string | undefined => metadata.annotations?.[CONFIG_DIGEST];

/** Operator on a cluster in memory with one pipeline. */
async function start() {
  const clock = new ManualClock();
  const kube = new MemoryKube(clock, clusterResources);
  const cluster = new MemoryCluster(kube, clock);
  const [admin, api] = [new MemoryKubeApi(kube), new MemoryKubeApi(kube)];
  const source = new ToldPlans(planWith('small', 2));
  const { metadata, ...rest } = shelf();
  written(
    await admin.create(
      pipelines,
      { ...rest, metadata: { name: metadata.name, namespace: 'n' } },
      { fieldManager: 'kubectl' },
    ),
  );
  const abort = new AbortController();
  const running = new Operator({
    ...{ api, clock, rng: new SeededRng(1), nowEpochMs: () => NOW_EPOCH_MS + clock.nowMs(), source },
    imagesOf: () => images,
    onFailure: () => {},
  }).run(abort.signal);
  const all = async <T extends KubeObject>(type: ResourceType<T>): Promise<readonly T[]> => {
    const page = await admin.list({ type });
    return page.kind === 'page' ? page.objects : [];
  };
  const filesOfSmall = async () => {
    const config = (await all(configMaps)).find(({ metadata: { name } }) => name === SMALL);
    return filesOf(config ?? {});
  };
  const decide = async (cpuCores: number) => {
    const plan = planWith('small', 2);
    const detect = plan.stages[stageId('detect')]?.map((each) => ({
      ...each,
      resources: { ...each.resources, cpuCores },
    }));
    source.decide(KEY, { ...plan, stages: { ...plan.stages, ...(detect && { detect }) } });
    await clock.advanceTo(clock.nowMs() + 30_000);
  };
  const stop = async () => {
    abort.abort();
    cluster.stop();
    await running;
  };
  await clock.advanceTo(20_000);
  return { clock, cluster, all, filesOfSmall, decide, stop };
}

/** Pods that do not find the file of their template. */
async function podsWithoutFile(all: Awaited<ReturnType<typeof start>>['all']): Promise<readonly string[]> {
  const configs = new Map((await all(configMaps)).map(({ metadata, data }) => [metadata.name, data]));
  return (await all(pods)).flatMap((pod) => {
    const { volumes } = pod.spec as unknown as PodSpec;
    const volume = volumes.find(({ name }) => name === CONFIG_VOLUME);
    const { name, items = [] } = volume !== undefined && 'configMap' in volume ? volume.configMap : { name: '' };
    const text = configs.get(name)?.[items[0]?.key ?? ''];
    const isOwn = text !== undefined && fileDigest(text) === digestOfPod(pod);
    return isOwn ? [] : [pod.metadata.name];
  });
}

it('is there for pods of every template of a stuck rollout', async () => {
  const { cluster, all, decide, stop } = await start();
  const old = new Set((await all(pods)).map(({ metadata }) => metadata.name));
  expect(old.size).toBe(4);
  cluster.readyAfterMs = (pod) => (old.has(pod.metadata.name) ? 0 : Number.POSITIVE_INFINITY);
  for (const cpuCores of [2, 4]) {
    await decide(cpuCores);
    const own = (await all(pods)).filter(({ metadata }) => metadata.name.startsWith(SMALL));
    expect(new Set(own.map(digestOfPod)).size).toBe(2);
    expect(await podsWithoutFile(all)).toEqual([]);
  }
  await stop();
});

it('goes when another change comes and no pod has it any more', async () => {
  const { all, filesOfSmall, decide, stop } = await start();
  for (const cpuCores of [2, 4, 1, 2, 4]) {
    await decide(cpuCores);
    expect((await filesOfSmall()).size).toBe(2);
    expect(await podsWithoutFile(all)).toEqual([]);
  }
  await stop();
});
