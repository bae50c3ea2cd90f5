import { AppError, SeededRng } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import { written } from '../api/conformance/subject.test-support.js';
import { MemoryKube } from '../api/memory/memory-kube.test-support.js';
import { MemoryKubeApi } from '../api/memory/memory-kube-api.test-support.js';
import { nodes, type ObservedNode, type ObservedPod } from '../cluster/observed-objects.js';
import { usualReflectorLimits } from '../cluster/reflector.js';
import { badPart, NodeWatch } from './node-watch.js';

const writer = { fieldManager: 'kubelet', force: true };

const nodeWith = (name: string, statuses: Readonly<Record<string, string>>, note = 'so'): ObservedNode => ({
  ...{ apiVersion: 'v1', kind: 'Node', metadata: { name } },
  status: {
    conditions: Object.entries(statuses).map(([type, status]) => ({ type, status, message: `${type} is ${note}` })),
  },
});

const HEALTHY = { Ready: 'True', MemoryPressure: 'False', DiskPressure: 'False', PIDPressure: 'False' };

const podOn = (nodeName: string): ObservedPod => ({
  ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: `on-${nodeName}` } },
  spec: { nodeName, containers: [] },
});

const forbidden = new AppError('CLUSTER_REFUSED', 'nodes is forbidden', { details: { httpStatus: 403 } });
const refusedWatch = { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(forbidden) }) };

/** A watch on nodes by a client with rights, which may change. */
function start(rights = { mayList: true, mayWatch: true }) {
  const clock = new ManualClock();
  const kube = new MemoryKube(clock, [{ type: nodes, hasStatus: true }]);
  const [admin, api] = [new MemoryKubeApi(kube), new MemoryKubeApi(kube)];
  const [list, follow] = [api.list.bind(api), api.watch.bind(api)];
  api.list = (...question) => (rights.mayList ? list(...question) : Promise.reject(forbidden));
  api.watch = (...question) => (rights.mayWatch ? follow(...question) : refusedWatch);
  const changed: string[] = [];
  const failures: string[] = [];
  const watch = new NodeWatch(
    { api, clock, rng: new SeededRng(1) },
    {
      onChange: (node) => changed.push(node),
      onFailure: (resource, error) => failures.push(`${resource}: ${String(error)}`),
    },
  );
  const abort = new AbortController();
  const running = watch.run(abort.signal);
  const pass = (durationMs: number) => clock.advanceTo(clock.nowMs() + durationMs);
  const put = async (node: ObservedNode) => {
    written(await admin.apply(nodes, node, writer));
    written(await admin.applyStatus(nodes, node, writer));
    await pass(0);
  };
  const messages = (...names: readonly string[]) => watch.conditionsOf(names.map(podOn)).map(({ message }) => message);
  const stop = async () => {
    abort.abort();
    await running;
    expect([clock.pendingAlarms, kube.openWatches]).toEqual([0, 0]);
  };
  return { api, admin, rights, changed, failures, watch, pass, put, messages, stop };
}

describe('NodeWatch', () => {
  it('tells bad conditions of the nodes of pods, first those of nodes that are not ready', async () => {
    const { put, messages, watch, pass, stop } = start();
    await put(nodeWith('a', { ...HEALTHY, MemoryPressure: 'True', DiskPressure: 'True' }));
    await put(nodeWith('b', { ...HEALTHY, Ready: 'False' }));
    await put(nodeWith('c', { ...HEALTHY, NetworkUnavailable: 'True' }));
    await put(nodeWith('d', { Ready: 'Unknown', MemoryPressure: 'Unknown', PIDPressure: 'Unknown' }));
    await put(nodeWith('e', { ...HEALTHY, PIDPressure: 'True' }));
    await pass(0);
    expect(messages('a', 'b', 'c', 'd', 'gone')).toEqual([
      'node b: Ready=False: Ready is so',
      'node d: Ready=Unknown: Ready is so',
      'node a: MemoryPressure=True: MemoryPressure is so',
      'node a: DiskPressure=True: DiskPressure is so',
    ]);
    expect(watch.conditionsOf([podOn('b'), podOn('e')]).map(({ reason }) => reason)).toEqual([
      'NodeNotReady',
      'NodePressure',
    ]);
    await stop();
  });

  it('reports another status, and no heartbeat', async () => {
    const { put, admin, messages, changed, pass, stop } = start();
    await put(nodeWith('a', HEALTHY));
    await put(nodeWith('a', HEALTHY, 'as before'));
    expect(changed.splice(0)).toEqual([]);
    await put(nodeWith('a', { ...HEALTHY, MemoryPressure: 'True' }, 'low'));
    expect(changed.splice(0)).toEqual(['a']);
    await put(nodeWith('a', { ...HEALTHY, MemoryPressure: 'True' }, 'lower'));
    expect(changed.splice(0)).toEqual([]);
    expect(messages('a')).toEqual(['node a: MemoryPressure=True: MemoryPressure is lower']);
    await put(nodeWith('a', { ...HEALTHY, Ready: 'False' }));
    await put(nodeWith('a', { ...HEALTHY, Ready: 'Unknown' }));
    await put(nodeWith('a', HEALTHY));
    expect(changed.splice(0)).toEqual(['a', 'a', 'a']);
    expect(messages('a')).toEqual([]);
    await put(nodeWith('a', { ...HEALTHY, Ready: 'False' }));
    await admin.delete({ type: nodes, name: 'a' });
    await pass(0);
    expect(changed.splice(0)).toEqual(['a', 'a']);
    expect(messages('a')).toEqual([]);
    await stop();
  });

  it('keeps nothing of a healthy node, and of another one only its name and bad conditions', () => {
    const large = (statuses: Readonly<Record<string, string>>) => {
      const { metadata, status, ...rest } = nodeWith('a', statuses);
      const labels = { zone: 'x' };
      return {
        ...{ ...rest, metadata: { ...metadata, labels, resourceVersion: '7' } },
        status: { ...status, images: ['large'] },
      };
    };
    expect(badPart(large(HEALTHY))).toBeUndefined();
    expect(badPart(large({ ...HEALTHY, Ready: 'False' }))).toEqual({
      ...{ apiVersion: 'v1', kind: 'Node', metadata: { name: 'a', resourceVersion: '7' } },
      status: { conditions: [{ type: 'Ready', status: 'False', message: 'Ready is so' }] },
    });
  });

  it('tells the news of a pipeline once, and again after an end', () => {
    const { watch } = start();
    const low = { node: 'a', type: 'MemoryPressure', reason: 'NodePressure', message: 'low' } as const;
    const full = { ...low, type: 'DiskPressure' };
    expect(watch.newsOf('n/p', [low])).toEqual([low]);
    expect(watch.newsOf('n/p', [{ ...low, message: 'lower' }, full])).toEqual([full]);
    expect(watch.newsOf('n/q', [low])).toEqual([low]);
    expect(watch.newsOf('n/p', [full])).toEqual([]);
    expect(watch.newsOf('n/p', [low])).toEqual([low]);
    watch.forget('n/p');
    expect(watch.newsOf('n/p', [low])).toEqual([low]);
  });

  it('says once that it may not list nodes, and names them soon after it may', async () => {
    const { put, messages, failures, rights, pass, stop } = start({ mayList: false, mayWatch: false });
    await put(nodeWith('a', { ...HEALTHY, MemoryPressure: 'True' }));
    await pass(10 * 60_000);
    expect(failures).toEqual([
      'nodes: AppError: nodes is forbidden; --watch-nodes needs the right to list and watch nodes, as deploy/kubernetes-nodes and the value watchNodes of the Helm chart grant it. The operator goes on without their conditions.',
    ]);
    Object.assign(rights, { mayList: true, mayWatch: true });
    await pass(60_000);
    expect(messages('a')).toHaveLength(1);
    await stop();
  });

  it('forgets all nodes when its right is lost, and says so once', async () => {
    const { put, messages, failures, rights, changed, pass, stop } = start();
    await put(nodeWith('a', { ...HEALTHY, MemoryPressure: 'True' }));
    expect(changed.splice(0)).toEqual(['a']);
    Object.assign(rights, { mayList: false, mayWatch: false });
    await pass(usualReflectorLimits.watchMs.longest + 60_000);
    expect(changed).toEqual(['a']);
    expect(messages('a')).toEqual([]);
    await pass(10 * 60_000);
    expect(failures).toEqual([expect.stringContaining('needs the right to list and watch nodes')]);
    await stop();
  });

  it('lists nodes every minute while it may only list them', async () => {
    const { put, api, messages, failures, pass, stop } = start({ mayList: true, mayWatch: false });
    await put(nodeWith('a', { ...HEALTHY, MemoryPressure: 'True' }));
    await pass(10 * 60_000);
    expect(messages('a')).toHaveLength(1);
    expect(failures).toEqual([expect.stringContaining('needs the right to list and watch nodes')]);
    expect(api.calls.length).toBeLessThanOrEqual(11);
    await stop();
  });
});
