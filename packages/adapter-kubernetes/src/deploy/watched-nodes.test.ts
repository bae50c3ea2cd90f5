/** An operator that names bad conditions of the nodes that carry pods. */
import { AppError, SeededRng } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import { written } from '../api/conformance/subject.test-support.js';
import { MemoryKube } from '../api/memory/memory-kube.test-support.js';
import { MemoryKubeApi } from '../api/memory/memory-kube-api.test-support.js';
import { nodes, pipelines, pods } from '../cluster/observed-objects.js';
import { clusterResources, MemoryCluster } from '../test-cluster/memory/memory-cluster.test-support.js';
import {
  images,
  NOW_EPOCH_MS,
  planWith,
  shelf,
  ToldPlans,
} from '../test-cluster/memory/pipeline-fixture.test-support.js';
import { events } from './events.js';
import { Operator } from './operator.js';

const namespace = 'n';
const [FIRST, SECOND] = ['worker-1', 'worker-2'];
const human = { fieldManager: 'kubectl' };
const LOW = 'kubelet has insufficient memory available';
/** Time in which a change reaches the status; two passes are at least 100 ms apart. */
const AT_ONCE_MS = 200;

/** Operator of two pipelines, each on a node of its own; `mayRead`: its right on nodes. */
async function start({ watchesNodes = true, mayRead = true } = {}) {
  const clock = new ManualClock();
  const kube = new MemoryKube(clock, clusterResources);
  const cluster = new MemoryCluster(kube, clock);
  const [admin, api] = [new MemoryKubeApi(kube), new MemoryKubeApi(kube)];
  const list = api.list.bind(api);
  const forbidden = new AppError('CLUSTER_REFUSED', 'nodes is forbidden', { details: { httpStatus: 403 } });
  api.list = (selection, page) =>
    selection.type.kind === nodes.kind && !mayRead ? Promise.reject(forbidden) : list(selection, page);
  const passes: string[] = [];
  const failures: string[] = [];
  const abort = new AbortController();
  const running = new Operator({
    ...{ api, clock, rng: new SeededRng(1), source: new ToldPlans(planWith('small', 2)), watchesNodes },
    nowEpochMs: () => NOW_EPOCH_MS + clock.nowMs(),
    imagesOf: () => images,
    onPass: (key) => passes.push(key),
    onFailure: (what, error) => failures.push(`${what}: ${String(error)}`),
  }).run(abort.signal);
  const pass = (durationMs: number) => clock.advanceTo(clock.nowMs() + durationMs);
  const create = async (name: string, node: string) => {
    cluster.node = node;
    const { metadata: _, ...rest } = shelf({ name });
    written(await admin.create(pipelines, { ...rest, metadata: { name, namespace } }, human));
    await pass(3_000);
  };
  await create('shelf', FIRST);
  await create('other', SECOND);
  const report = async (node: string, statuses: Readonly<Record<string, string>>, message = '') => {
    const all = Object.entries({ Ready: 'True', MemoryPressure: 'False', ...statuses });
    const lastHeartbeatTime = new Date(NOW_EPOCH_MS + clock.nowMs()).toISOString();
    const conditions = all.map(([type, status]) => ({ type, status, message, lastHeartbeatTime }));
    const object = { apiVersion: 'v1', kind: 'Node', metadata: { name: node }, status: { conditions } };
    written(await admin.apply(nodes, object, { ...human, force: true }));
    written(await admin.applyStatus(nodes, object, { ...human, force: true }));
    await pass(AT_ONCE_MS);
  };
  const degraded = async (name = 'shelf') =>
    (await admin.get({ type: pipelines, namespace, name }))?.status?.conditions?.find(
      ({ type }) => type === 'Degraded',
    );
  const stop = async () => {
    abort.abort();
    await running;
    cluster.stop();
  };
  return { cluster, clock, admin, api, passes, failures, pass, report, degraded, stop };
}

describe('an operator that watches nodes', () => {
  it('names the pressure of a node that carries pods at once, until it ends', async () => {
    const { report, degraded, failures, stop } = await start();
    await report(FIRST, { MemoryPressure: 'True' }, LOW);
    expect(await degraded()).toMatchObject({
      ...{ status: 'True', reason: 'NodePressure' },
      message: `node ${FIRST}: MemoryPressure=True: ${LOW}`,
    });
    expect(await degraded('other')).toMatchObject({ status: 'False' });
    await report(FIRST, { MemoryPressure: 'False' });
    expect(await degraded()).toMatchObject({ status: 'False', reason: 'AsPlanned' });
    await report(SECOND, { Ready: 'Unknown' }, 'Kubelet stopped posting node status.');
    expect(await degraded('other')).toMatchObject({
      ...{ status: 'True', reason: 'NodeNotReady' },
      message: `node ${SECOND}: Ready=Unknown: Kubelet stopped posting node status.`,
    });
    expect(failures).toEqual([]);
    await stop();
  });

  it('looks at the pipelines with pods on a node, and only when a condition changes', async () => {
    const { report, passes, api, pass, stop } = await start();
    const rest = async () => {
      await pass(10_000);
      passes.splice(0);
      api.calls.splice(0);
    };
    await report(FIRST, {});
    await rest();
    await report(FIRST, {});
    await report('worker-3', { MemoryPressure: 'True' });
    expect([passes, api.calls]).toEqual([[], []]);
    await report(FIRST, { MemoryPressure: 'True' }, LOW);
    expect(new Set(passes)).toEqual(new Set(['n/shelf']));
    await rest();
    await report(FIRST, { MemoryPressure: 'True' }, LOW);
    expect([passes, api.calls]).toEqual([[], []]);
    await report(FIRST, {});
    expect(new Set(passes)).toEqual(new Set(['n/shelf']));
    await stop();
  });

  it('names an evicted pod as the reason, and the node with it', async () => {
    const { report, cluster, clock, admin, degraded, pass, stop } = await start();
    await report(FIRST, { MemoryPressure: 'True' }, LOW);
    const page = await admin.list({ type: pods });
    const [pod] = page.kind === 'page' ? page.objects.filter(({ spec }) => spec?.nodeName === FIRST) : [];
    cluster.evict(pod?.metadata.name ?? '', NOW_EPOCH_MS + clock.nowMs());
    await pass(3_000);
    expect(await degraded()).toMatchObject({
      ...{ status: 'True', reason: 'Evicted' },
      message: expect.stringMatching(
        /: Evicted: The node was low on resource: memory; node worker-1: MemoryPressure=True/,
      ),
    });
    await report(FIRST, {});
    expect(await degraded()).toMatchObject({ reason: 'Evicted', message: expect.not.stringContaining('worker-1') });
    await stop();
  });

  it('writes an event about the node, whose repetitions become a series', async () => {
    const { report, admin, pass, stop } = await start();
    for (let times = 0; times < 2; times++) {
      await report(FIRST, { MemoryPressure: 'True' }, LOW);
      await report(FIRST, { MemoryPressure: 'True' }, 'still');
      await pass(60_000);
      await report(FIRST, {});
    }
    const page = await admin.list({ type: events });
    const about = page.kind === 'page' ? page.objects.filter(({ related }) => related?.kind === 'Node') : [];
    expect(about).toEqual([
      expect.objectContaining({
        ...{ type: 'Warning', reason: 'NodePressure', action: 'MemoryPressure' },
        note: `node ${FIRST}: MemoryPressure=True: ${LOW}`,
        regarding: expect.objectContaining({ kind: 'InferencePipeline', name: 'shelf' }),
        related: { apiVersion: 'v1', kind: 'Node', name: FIRST },
        series: expect.objectContaining({ count: 2 }),
      }),
    ]);
    await stop();
  });

  it('goes on without the right to read nodes, and says once what is missing', async () => {
    const { report, degraded, failures, pass, stop } = await start({ mayRead: false });
    await report(FIRST, { MemoryPressure: 'True' });
    await pass(10 * 60_000);
    expect(await degraded()).toMatchObject({ status: 'False', reason: 'AsPlanned' });
    expect(failures).toEqual([expect.stringContaining('nodes is forbidden; --watch-nodes needs the right')]);
    await stop();
  });

  it('sends no request for nodes unless it is asked to', async () => {
    const { report, degraded, api, pass, stop } = await start({ watchesNodes: false });
    await report(FIRST, { MemoryPressure: 'True' });
    await pass(10 * 60_000);
    expect(await degraded()).toMatchObject({ status: 'False' });
    expect(api.calls.filter((call) => call.endsWith(` ${nodes.plural}`))).toEqual([]);
    await stop();
  });
});
