import { ManualClock } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import { written } from '../api/conformance/subject.test-support.js';
import { MemoryKube } from '../api/memory/memory-kube.test-support.js';
import { MemoryKubeApi } from '../api/memory/memory-kube-api.test-support.js';
import { pipelines } from '../cluster/observed-objects.js';
import type { InferencePipelineStatus, PipelineCondition } from '../crd/status-schema.js';
import { clusterResources } from '../test-cluster/memory/memory-cluster.test-support.js';
import { NOW_EPOCH_MS, shelf } from '../test-cluster/memory/pipeline-fixture.test-support.js';
import { EventRecorder } from './event-recorder.js';
import { OverlapWatch } from './overlap-watch.js';
import { StatusWriter } from './status-writer.js';

const ready = (status: PipelineCondition['status'], reason: string, message = ''): PipelineCondition => ({
  ...{ type: 'Ready', status, reason, message, observedGeneration: 1, lastTransitionTime: '2026-06-01T12:00:00Z' },
});
const statusWith = (condition: PipelineCondition, count = 0): InferencePipelineStatus => ({
  ...{ observedGeneration: 1, mode: 'auto', conditions: [condition], replicas: { desired: 3, ready: count } },
});

/** Status writer of one pipeline; `seen`: the pipeline as the watch shows it. */
async function start() {
  const clock = new ManualClock();
  const kube = new MemoryKube(clock, clusterResources);
  const api = new MemoryKubeApi(kube);
  const { metadata, ...rest } = shelf();
  const { name, namespace = 'n' } = metadata;
  const made = { ...rest, metadata: { name, namespace } };
  const create = async () => written(await api.create(pipelines, made, { fieldManager: 'kubectl' }));
  const created = await create();
  const failures: unknown[] = [];
  const base = { api, clock, nowEpochMs: () => NOW_EPOCH_MS + clock.nowMs() };
  const onFailure = (_: string, error: unknown) => failures.push(error);
  const events = new EventRecorder({ ...base, fieldManager: 'op', onFailure });
  const overlaps = new OverlapWatch(clock);
  const writer = new StatusWriter({ ...base, applier: { fieldManager: 'op', force: true }, events, overlaps });
  let seen = created;
  api.calls.splice(0);
  const tell = (status: InferencePipelineStatus) => writer.write(writer.latest(seen), status);
  const show = async () => {
    seen = (await new MemoryKubeApi(kube).get({ type: pipelines, name, namespace })) ?? seen;
  };
  const calls = () => api.calls.splice(0);
  const forget = () => writer.forget(`${namespace}/${name}`);
  const ref = { type: pipelines, name, namespace };
  return { clock, tell, create, api, ref, show, calls, failures, forget };
}

describe('StatusWriter', () => {
  it('writes what differs, with its event, and nothing twice, shown by the watch or not', async () => {
    const { tell, show, calls } = await start();
    await tell(statusWith(ready('False', 'Preparing')));
    expect(calls()).toEqual(['apply-status inferencepipelines', 'create events']);
    await tell(statusWith(ready('False', 'Preparing')));
    await show();
    await tell(statusWith(ready('False', 'Preparing')));
    expect(calls()).toEqual([]);
  });

  it('writes progress once a second, and another condition at once', async () => {
    const { clock, tell, calls } = await start();
    await tell(statusWith(ready('False', 'Preparing', '0 of 3 ready')));
    calls();
    await clock.advanceTo(300);
    expect(await tell(statusWith(ready('False', 'Preparing', '1 of 3 ready'), 1))).toMatchObject({ againAfterMs: 700 });
    expect(calls()).toEqual([]);
    await clock.advanceTo(1_000);
    await tell(statusWith(ready('False', 'Preparing', '2 of 3 ready'), 2));
    expect(calls()).toEqual(['apply-status inferencepipelines']);
    await tell(statusWith(ready('True', 'AllReady'), 3));
    expect(calls()).toEqual(['apply-status inferencepipelines', 'create events']);
  });

  it('tells nothing of a former pipeline about a new one of its name', async () => {
    const { tell, create, api, show, ref } = await start();
    await api.delete(ref);
    await create();
    await expect(tell(statusWith(ready('True', 'AllReady')))).rejects.toThrow('conflict');
    expect((await api.get(ref))?.status ?? {}).toEqual({});
    await show();
    await tell(statusWith(ready('True', 'AllReady')));
    expect((await api.get(ref))?.status?.conditions).toHaveLength(1);
  });

  it('forgets what it wrote of a pipeline that is gone', async () => {
    const { tell, calls, forget } = await start();
    await tell(statusWith(ready('False', 'Preparing')));
    calls();
    forget();
    await tell(statusWith(ready('False', 'Preparing')));
    expect(calls()).toContain('apply-status inferencepipelines');
  });
});
