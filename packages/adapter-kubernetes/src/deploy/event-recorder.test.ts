import { ManualClock } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import { MemoryKube } from '../api/memory/memory-kube.test-support.js';
import { MemoryKubeApi } from '../api/memory/memory-kube-api.test-support.js';
import { clusterResources } from '../test-cluster/memory/memory-cluster.test-support.js';
import { NOW_EPOCH_MS, shelf } from '../test-cluster/memory/pipeline-fixture.test-support.js';
import { EventRecorder } from './event-recorder.js';
import { events, type PipelineEvent, refusalEvents } from './events.js';

function start() {
  const clock = new ManualClock();
  const api = new MemoryKubeApi(new MemoryKube(clock, clusterResources));
  const failures: unknown[] = [];
  const nowEpochMs = () => NOW_EPOCH_MS + clock.nowMs();
  const onFailure = (_: string, error: unknown) => failures.push(error);
  const recorder = new EventRecorder({ api, clock, nowEpochMs, fieldManager: 'op', onFailure });
  const refuse = (name: string) =>
    recorder.record(
      refusalEvents(shelf(), [{ kind: 'Service', name, reason: 'ApplyFailed', message: 'no room' }], nowEpochMs()),
    );
  const found = async () => {
    const page = await api.list({ type: events });
    return (page.kind === 'page' ? page.objects : []) as readonly PipelineEvent[];
  };
  return { clock, api, failures, refuse, found };
}

describe('EventRecorder', () => {
  it('counts repetitions in one event, one for each object', async () => {
    const { clock, refuse, found } = start();
    await refuse('a');
    await refuse('b');
    await clock.advanceTo(60_000);
    await refuse('a');
    await clock.advanceTo(120_000);
    await refuse('a');
    const all = await found();
    expect(all.map(({ related, series }) => [related?.name, series?.count]).toSorted()).toEqual([
      ['a', 3],
      ['b', undefined],
    ]);
    expect(all.find(({ series }) => series !== undefined)?.series?.lastObservedTime).toBe(
      '2026-06-01T12:02:00.000000Z',
    );
  });

  it('writes a series every half minute, however often it repeats', async () => {
    const { clock, api, refuse, found } = start();
    for (let second = 1; second <= 70; second++) {
      await clock.advanceTo(1_000 * second);
      await refuse('a');
    }
    expect(api.calls).toEqual(['create events', 'apply events', 'apply events']);
    expect((await found()).map(({ series }) => series?.count)).toEqual([61]);
  });

  it('begins a new event after a pause', async () => {
    const { clock, refuse, found } = start();
    await refuse('a');
    await clock.advanceTo(400_000);
    await refuse('a');
    expect((await found()).map(({ series }) => series)).toEqual([undefined, undefined]);
  });

  it('reports a failure and goes on', async () => {
    const { api, failures, refuse } = start();
    api.line = 'down';
    await refuse('a');
    expect(failures).toHaveLength(1);
  });
});
