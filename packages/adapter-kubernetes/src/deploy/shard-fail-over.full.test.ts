/** Two operators with leases. One stops without releasing them. */
import { SeededRng } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import { written } from '../api/conformance/subject.test-support.js';
import { fencedApi } from '../api/fenced-api.js';
import { objectKey } from '../api/kube-object.js';
import { MemoryKube } from '../api/memory/memory-kube.test-support.js';
import { MemoryKubeApi } from '../api/memory/memory-kube-api.test-support.js';
import { leases } from '../cluster/lease-elector.js';
import { deployments, pipelines } from '../cluster/observed-objects.js';
import { ShardedElection } from '../cluster/sharded-election.js';
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

const set = { count: 4, by: 'pipeline' } as const;
const names = Array.from({ length: 30 }, (_, index) => `shelf-${index}`);
const LED_AGAIN_MS = 20_000;

function twoOperators() {
  const clock = new ManualClock();
  const kube = new MemoryKube(clock, [...clusterResources, { type: leases }]);
  const cluster = new MemoryCluster(kube, clock);
  const admin = new MemoryKubeApi(kube);
  /** Operator that leads each shard, and since when. */
  const leaders = new Map<number, { readonly who: string; readonly sinceMs: number }>();
  const passes = new Map<string, { readonly who: string; readonly atMs: number }[]>();
  const operate = (who: string) => {
    const abort = new AbortController();
    const api = new MemoryKubeApi(kube);
    const rng = new SeededRng(who.charCodeAt(0));
    const base = { api, clock, rng, nowEpochMs: () => NOW_EPOCH_MS + clock.nowMs() };
    const lead = (shard: number, signal: AbortSignal, isHeld: () => boolean): Promise<void> => {
      leaders.set(shard, { who, sinceMs: clock.nowMs() });
      return new Operator({
        ...{ ...base, api: fencedApi(api, isHeld), source: new ToldPlans(planWith('small')), imagesOf: () => images },
        owns: (key) => shardOf(key, set) === shard,
        onPass: (key) => passes.set(key, [...(passes.get(key) ?? []), { who, atMs: clock.nowMs() }]),
        // The operator that is cut off fails all the time.
        onFailure: () => {},
      }).run(signal);
    };
    const candidacy = { namespace: 'n', name: 'operator', identity: who, set };
    const running = new ShardedElection(base, candidacy).run({ lead }, abort.signal);
    const stop = async () => {
      abort.abort();
      await running;
    };
    return { api, stop };
  };
  const generations = async () => {
    const page = await admin.list({ type: deployments });
    const objects = page.kind === 'page' ? page.objects : [];
    return new Map(objects.map(({ metadata }) => [objectKey(metadata), metadata.generation]));
  };
  return { clock, cluster, admin, leaders, passes, operate, generations };
}

it('leads the shards of a lost operator again once its leases have ended, without a rollout', async () => {
  const { clock, cluster, admin, leaders, passes, operate, generations } = twoOperators();
  const { metadata: _, ...rest } = shelf();
  for (const name of names)
    written(
      await admin.create(pipelines, { ...rest, metadata: { name, namespace: 'n' } }, { fieldManager: 'kubectl' }),
    );
  const [lost, left] = [operate('a'), operate('b')];
  await clock.advanceTo(15_000);
  // Everything runs. The second operator asks for shards later.
  cluster.stop();
  await clock.advanceTo(60_000);
  const ledBy = (who: string) => [...leaders].flatMap(([shard, leader]) => (leader.who === who ? [shard] : []));
  const shards = ledBy('a');
  expect([shards.length, ledBy('b').length]).toEqual([2, 2]);
  const before = await generations();
  expect(before.size).toBe(3 * names.length);

  const cutAtMs = clock.nowMs();
  lost.api.line = 'down';
  await clock.advanceTo(cutAtMs + LED_AGAIN_MS);
  expect(ledBy('b')).toHaveLength(set.count);
  for (const shard of shards) expect(leaders.get(shard)?.sinceMs).toBeGreaterThan(cutAtMs);
  await clock.advanceTo(cutAtMs + LED_AGAIN_MS + 5_000);
  const taken = names.map((name) => `n/${name}`).filter((key) => shards.includes(shardOf(key, set)));
  expect(taken.length).toBeGreaterThan(5);
  for (const key of taken) {
    const sinceMs = leaders.get(shardOf(key, set))?.sinceMs ?? 0;
    const later = (passes.get(key) ?? []).filter(({ atMs }) => atMs >= sinceMs);
    expect(new Set(later.map(({ who }) => who)), key).toEqual(new Set(['b']));
  }
  expect(await generations()).toEqual(before);
  await Promise.all([lost.stop(), left.stop()]);
});
