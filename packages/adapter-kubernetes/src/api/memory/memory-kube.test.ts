/** The API server in memory passes the conformance suite. */
import { ManualClock } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import { describeKubeApiConformance } from '../conformance/kube-api-conformance.test-support.js';
import { memoryProbes, probe, probes } from '../conformance/probe-resource.test-support.js';
import { pageOf, written } from '../conformance/subject.test-support.js';
import { MemoryKube } from './memory-kube.test-support.js';
import { MemoryKubeApi } from './memory-kube-api.test-support.js';

const namespace = 'n';
const writer = { fieldManager: 'first' };

function start() {
  const clock = new ManualClock();
  const kube = new MemoryKube(clock, [memoryProbes]);
  return { clock, kube, api: new MemoryKubeApi(kube) };
}

describeKubeApiConformance('MemoryKubeApi', async () => {
  const { clock, api } = start();
  return { api, namespace, passTime: (durationMs) => clock.advanceTo(clock.nowMs() + durationMs) };
});

describe('the troubles of MemoryKube', () => {
  it('expires watches and lists that began before a compaction', async () => {
    const { kube, api } = start();
    for (const name of ['a', 'b', 'c']) written(await api.create(probes, probe(namespace, name, {}), writer));
    const { continueToken = '', resourceVersion } = pageOf(await api.list({ type: probes }, { limit: 1 }));
    written(await api.create(probes, probe(namespace, 'd', {}), writer));
    kube.compact();
    expect(await api.list({ type: probes }, { continueToken })).toEqual({ kind: 'expired' });
    const events = api.watch({ type: probes }, { resourceVersion, timeoutSeconds: 60 }, new AbortController().signal);
    expect(await events[Symbol.asyncIterator]().next()).toEqual({ done: false, value: { kind: 'expired' } });
  });

  it('drops watches, and refuses a client whose line is down', async () => {
    const { clock, kube, api } = start();
    const { resourceVersion } = pageOf(await api.list({ type: probes }));
    const from = { resourceVersion, timeoutSeconds: 60 };
    const events = api.watch({ type: probes }, from, new AbortController().signal)[Symbol.asyncIterator]();
    const next = events.next().catch((error: unknown) => error);
    await clock.advanceTo(1);
    expect(kube.openWatches).toBe(1);
    kube.dropWatches();
    expect(await next).toMatchObject({ code: 'UNREACHABLE', retryable: true });
    expect(kube.openWatches).toBe(0);
    expect(clock.pendingAlarms).toBe(0);
    api.line = 'down';
    await expect(api.list({ type: probes })).rejects.toMatchObject({ code: 'UNREACHABLE' });
  });
});
