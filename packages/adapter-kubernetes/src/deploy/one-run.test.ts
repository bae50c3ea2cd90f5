import { SeededRng } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { written } from '../api/conformance/subject.test-support.js';
import { MemoryKube } from '../api/memory/memory-kube.test-support.js';
import { MemoryKubeApi } from '../api/memory/memory-kube-api.test-support.js';
import { deployments, pipelines } from '../cluster/observed-objects.js';
import { clusterResources, MemoryCluster } from '../test-cluster/memory/memory-cluster.test-support.js';
import {
  images,
  NOW_EPOCH_MS,
  planWith,
  shelf,
  ToldPlans,
} from '../test-cluster/memory/pipeline-fixture.test-support.js';
import { type PipelineRun, runOnce } from './one-run.js';

const human = { fieldManager: 'kubectl' };
const aborts: AbortController[] = [];

class DecidingPlans extends ToldPlans {
  isUndecided = false;
}

/** Cluster with these pipelines; `run` returns one run and its duration. */
async function start(names: readonly string[], mode = 'auto') {
  const clock = new ManualClock();
  const kube = new MemoryKube(clock, clusterResources);
  const cluster = new MemoryCluster(kube, clock);
  const [admin, api] = [new MemoryKubeApi(kube), new MemoryKubeApi(kube)];
  for (const name of names) {
    const { metadata, ...rest } = shelf({ mode, name });
    const { namespace = 'n' } = metadata;
    written(await admin.create(pipelines, { ...rest, metadata: { name, namespace } }, human));
  }
  const source = new DecidingPlans(planWith('small', 2));
  const failures: string[] = [];
  const abort = new AbortController();
  aborts.push(abort);
  const run = async (limitMs = 60_000) => {
    const base = { api, clock, rng: new SeededRng(1), nowEpochMs: () => NOW_EPOCH_MS + clock.nowMs(), source };
    let ended: { pipelines?: readonly PipelineRun[]; error?: unknown; tookMs: number } | undefined;
    const beganAtMs = clock.nowMs();
    void runOnce({ ...base, imagesOf: () => images, onFailure: (what) => failures.push(what) }, abort.signal).then(
      (found) => {
        ended = { pipelines: found, tookMs: clock.nowMs() - beganAtMs };
      },
      (error: unknown) => {
        ended = { error, tookMs: clock.nowMs() - beganAtMs };
      },
    );
    while (ended === undefined && clock.nowMs() - beganAtMs < limitMs) await clock.advanceTo(clock.nowMs() + 100);
    return ended;
  };
  return { clock, kube, cluster, admin, api, source, failures, abort, run };
}

describe('runOnce', () => {
  afterEach(() => {
    for (const abort of aborts.splice(0)) abort.abort();
  });

  it('brings all pipelines as far as it can, tells what it did, and has nothing to do the next time', async () => {
    const { run, api } = await start(['a', 'b']);
    const first = await run();
    expect(first?.pipelines?.map(({ name, phase, applied }) => [name, phase, applied.length > 10])).toEqual([
      ['a', 'settled', true],
      ['b', 'settled', true],
    ]);
    expect(first?.pipelines?.[0]?.applied).toContainEqual({ kind: 'Deployment', name: 'a--detect--small' });
    const ready = first?.pipelines?.[0]?.status?.conditions?.find(({ type }) => type === 'Ready');
    expect(ready).toMatchObject({ status: 'True' });
    api.calls.splice(0);
    const second = await run();
    expect(second?.tookMs).toBeLessThan(3_000);
    expect(second?.pipelines?.map(({ removed }) => removed)).toEqual([[], []]);
    const writes = api.calls.filter((call) => !/^(list|watch|apply) /.test(call));
    expect(writes).toEqual([]);
  });

  it('leaves what takes its time to the next run', async () => {
    const { run, cluster, admin } = await start(['a']);
    cluster.readyAfterMs = () => 600_000;
    const first = await run();
    expect(first?.pipelines).toMatchObject([{ phase: 'preparing' }]);
    expect(first?.tookMs).toBeLessThan(10_000);
    expect(await admin.get({ type: deployments, namespace: 'n', name: 'a--detect--small' })).toBeDefined();
  });

  it('waits for plans that are still to be made', async () => {
    const { run, source, clock } = await start(['a']);
    source.isUndecided = true;
    clock.ringAt(20_000, () => {
      source.isUndecided = false;
    });
    expect((await run())?.tookMs).toBeGreaterThanOrEqual(20_000);
  });

  it('gives up a pipeline that fails again and again, and says why', async () => {
    const { run, api, failures } = await start(['a', 'b']);
    const create = api.create.bind(api);
    api.create = async (type, object, applier) =>
      object.metadata.name.startsWith('a--')
        ? { kind: 'refused', reason: 'invalid', message: 'not like this', causes: [] }
        : create(type, object, applier);
    const ended = await run();
    expect(ended?.pipelines).toMatchObject([
      { name: 'a', failure: expect.stringContaining('not like this') },
      { name: 'b', phase: 'settled' },
    ]);
    expect(failures.length).toBeGreaterThanOrEqual(5);
  });

  it('rejects where the API server lists nothing, and when it is ended early', async () => {
    const silent = await start(['a']);
    silent.api.line = 'down';
    expect(await silent.run()).toMatchObject({ error: { code: 'UNREACHABLE' } });
    const stopped = await start(['a']);
    stopped.source.isUndecided = true;
    stopped.clock.ringAt(3_000, () => stopped.abort.abort());
    expect(await stopped.run()).toMatchObject({ error: { code: 'INTERRUPTED' } });
  });

  it('listens for as long as the verdict on a share takes, and goes a step on each time', async () => {
    const { run, source, clock, admin, cluster } = await start(['a']);
    await run();
    cluster.readyAfterMs = () => 3_000;
    source.decide('n/a', planWith('large', 2));
    const shares: number[] = [];
    for (let runs = 0; runs < 8; runs++) {
      const beganAtMs = clock.nowMs();
      source.situation = () => {
        const sinceMs = clock.nowMs() - beganAtMs;
        const counts = { before: { ended: 90, missed: 0 }, after: { ended: 60, missed: 0 }, passedOn: 60 };
        return sinceMs < 2_000 ? { staleMs: sinceMs } : { sides: { ...counts, observedMs: sinceMs - 2_000 } };
      };
      const ended = await run();
      expect(ended?.tookMs).toBeLessThan(40_000);
      shares.push(ended?.pipelines?.[0]?.status?.shift?.fraction ?? 0);
      await clock.advanceTo(clock.nowMs() + 5_000);
    }
    expect([...new Set(shares)]).toEqual([0, 0.1, 0.5]);
    expect(shares.at(-1)).toBe(0);
    const left = await admin.get({ type: deployments, namespace: 'n', name: 'a--detect--small' });
    expect(left).toBeUndefined();
  });
});
