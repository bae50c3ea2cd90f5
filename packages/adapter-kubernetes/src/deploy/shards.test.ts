/** Two operators, each with a shard of the pipelines of one cluster. */
import { SeededRng } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import { written } from '../api/conformance/subject.test-support.js';
import { objectKey } from '../api/kube-object.js';
import { MemoryKube } from '../api/memory/memory-kube.test-support.js';
import { MemoryKubeApi } from '../api/memory/memory-kube-api.test-support.js';
import { deployments, pipelines } from '../cluster/observed-objects.js';
import { shardOf } from '../cluster/shards.js';
import { clusterResources, MemoryCluster } from '../test-cluster/memory/memory-cluster.test-support.js';
import {
  images,
  NOW_EPOCH_MS,
  planWith,
  shelf,
  ToldPlans,
} from '../test-cluster/memory/pipeline-fixture.test-support.js';
import { Operator } from './operator.js';

const set = { count: 2, by: 'pipeline' } as const;
const names = Array.from({ length: 6 }, (_, index) => `shelf-${index}`);
const keysOf = (shard: number) => names.map((name) => `n/${name}`).filter((key) => shardOf(key, set) === shard);

it('keeps and reconciles the pipelines of its shard only, and takes over those of another without a rollout', async () => {
  const clock = new ManualClock();
  const kube = new MemoryKube(clock, clusterResources);
  const cluster = new MemoryCluster(kube, clock);
  const admin = new MemoryKubeApi(kube);
  const passed = [new Set<string>(), new Set<string>()];
  const failures: string[] = [];
  const operate = (shard: number, by: number) => {
    const abort = new AbortController();
    const operator = new Operator({
      ...{ api: new MemoryKubeApi(kube), clock, rng: new SeededRng(by + 1), source: new ToldPlans(planWith('small')) },
      nowEpochMs: () => NOW_EPOCH_MS + clock.nowMs(),
      imagesOf: () => images,
      owns: (key) => shardOf(key, set) === shard,
      onPass: (key) => passed[by]?.add(key),
      onFailure: (what, error) => failures.push(`${what}: ${String(error)}`),
    });
    const running = operator.run(abort.signal);
    const stop = async () => {
      abort.abort();
      await running;
    };
    return { operator, stop };
  };
  for (const name of names) {
    const { metadata: _, ...rest } = shelf();
    written(
      await admin.create(pipelines, { ...rest, metadata: { name, namespace: 'n' } }, { fieldManager: 'kubectl' }),
    );
  }
  const generations = async () => {
    const page = await admin.list({ type: deployments });
    const objects = page.kind === 'page' ? page.objects : [];
    return new Map(objects.map(({ metadata }) => [objectKey(metadata), metadata.generation]));
  };
  const [first, second] = [operate(0, 0), operate(1, 1)];
  await clock.advanceTo(10_000);
  expect([first, second].map(({ operator }) => operator.pipelines?.toSorted())).toEqual([keysOf(0), keysOf(1)]);
  expect(passed.map((keys) => [...keys].sort())).toEqual([keysOf(0), keysOf(1)]);
  const before = await generations();
  expect(before.size).toBe(names.length * 3);

  await first.stop();
  const third = operate(0, 1);
  await clock.advanceTo(30_000);
  expect([...(passed[1] ?? [])].sort()).toEqual([...keysOf(0), ...keysOf(1)].sort());
  expect(await generations()).toEqual(before);
  expect(failures).toEqual([]);
  await Promise.all([second.stop(), third.stop()]);
  cluster.stop();
});
