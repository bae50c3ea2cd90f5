import { AppError, SeededRng } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import { MemoryKube } from '../api/memory/memory-kube.test-support.js';
import { MemoryKubeApi } from '../api/memory/memory-kube-api.test-support.js';
import { LeaseElector, leases } from './lease-elector.js';
import { leaderOf } from './pipeline-leader.js';
import { ShardedElection } from './sharded-election.js';
import { shardOf } from './shards.js';

const EPOCH_MS = 1_700_000_000_000;
const key = 'models/shelf';
const set = { count: 4, by: 'pipeline' } as const;

function cluster() {
  const clock = new ManualClock();
  const kube = new MemoryKube(clock, [{ type: leases }]);
  const nowEpochMs = () => EPOCH_MS + clock.nowMs();
  const api = () => new MemoryKubeApi(kube);
  const deps = () => ({ api: api(), clock, rng: new SeededRng(1), nowEpochMs });
  const lease = { name: 'equipoise-operator', namespaces: ['models', 'equipoise'] };
  const leader = (of = api()) => leaderOf(of, { key, lease, nowEpochMs: nowEpochMs() });
  const candidacy = { namespace: 'equipoise', name: 'equipoise-operator', identity: 'pod-1' };
  return { clock, api, deps, leader, candidacy };
}

const untilAborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));

it('names the holder of the shard of a pipeline, and how old its lease is', async () => {
  const { clock, deps, leader, candidacy } = cluster();
  expect(await leader()).toBeUndefined();
  const abort = new AbortController();
  const base = deps();
  const running = new ShardedElection(base, { ...candidacy, set }).run(
    { lead: (_, signal) => untilAborted(signal) },
    abort.signal,
  );
  await clock.advanceTo(20_000);
  const shard = shardOf(key, set);
  const lease = `equipoise-operator-shard-${shard}`;
  const at = { lease, namespace: 'equipoise', shard, shards: 4 };
  expect(await leader()).toMatchObject({ ...at, holder: 'pod-1', isExpired: false });
  base.api.line = 'down';
  await clock.advanceTo(60_000);
  const cut = await leader();
  expect(cut).toMatchObject({ ...at, holder: 'pod-1', isExpired: true });
  expect(cut?.ageS).toBeGreaterThanOrEqual(38);
  expect(cut?.ageS).toBeLessThanOrEqual(60);
  abort.abort();
  await running;
});

it('names the holder of the one lease where operators have no shards, and nobody once it is released', async () => {
  const { clock, deps, leader, candidacy } = cluster();
  const abort = new AbortController();
  const running = new LeaseElector(deps(), candidacy).run({ lead: untilAborted }, abort.signal);
  await clock.advanceTo(5_000);
  const one = { lease: 'equipoise-operator', namespace: 'equipoise' };
  const held = await leader();
  expect(held).toEqual({ ...one, holder: 'pod-1', ageS: expect.any(Number), isExpired: false });
  abort.abort();
  await running;
  expect(await leader()).toEqual({ ...one, ageS: expect.any(Number), isExpired: true });
});

it('knows no leader without the right to read leases, and passes other failures on', async () => {
  const { api, leader } = cluster();
  const failing = (httpStatus: number) => {
    const refusing = api();
    refusing.get = () => Promise.reject(new AppError('CLUSTER_REFUSED', 'no', { details: { httpStatus } }));
    return refusing;
  };
  expect(await leader(failing(403))).toBeUndefined();
  await expect(leader(failing(500))).rejects.toThrow('no');
});
