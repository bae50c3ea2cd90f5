import { AppError, SeededRng } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import { written } from '../api/conformance/subject.test-support.js';
import { type KubeObject, refTo } from '../api/kube-object.js';
import { MemoryKube } from '../api/memory/memory-kube.test-support.js';
import { MemoryKubeApi } from '../api/memory/memory-kube-api.test-support.js';
import {
  childTypes,
  deployments,
  isRouter,
  isStage,
  type ObservedPod,
  pipelines,
  pods,
} from '../cluster/observed-objects.js';
import { podAutoscalers } from '../observe/autoscalers.js';
import { clusterResources, MemoryCluster } from '../test-cluster/memory/memory-cluster.test-support.js';
import {
  images,
  NOW_EPOCH_MS,
  planWith,
  shelf,
  ToldPlans,
} from '../test-cluster/memory/pipeline-fixture.test-support.js';
import { events, type PipelineEvent } from './events.js';
import { Operator } from './operator.js';

const namespace = 'n';
const KEY = 'n/shelf';
const SMALL = 'shelf--detect--small';
const LARGE = 'shelf--detect--large';
const DRAIN = { 'equipoise.dev/drain': 'true' };
const human = { fieldManager: 'kubectl' };
const forbidden = new AppError('CLUSTER_REFUSED', 'networkpolicies is forbidden', { details: { httpStatus: 403 } });

/** Operator on a cluster in memory with one pipeline; `mayList`: its right to list network policies. */
async function start({ mode = 'auto', drains = false, mayList = (): boolean => true } = {}) {
  const clock = new ManualClock();
  const kube = new MemoryKube(clock, clusterResources);
  const cluster = new MemoryCluster(kube, clock);
  const [admin, api] = [new MemoryKubeApi(kube), new MemoryKubeApi(kube)];
  const list = api.list.bind(api);
  api.list = (selection, page) =>
    selection.type.kind === 'NetworkPolicy' && !mayList() ? Promise.reject(forbidden) : list(selection, page);
  const source = new ToldPlans(planWith('small', 2));
  const failures: string[] = [];
  const gone: string[] = [];
  const { metadata, ...rest } = shelf({ mode });
  const { name } = metadata;
  written(
    await admin.create(
      pipelines,
      { ...rest, metadata: { name, namespace, ...(drains && { annotations: DRAIN }) } },
      human,
    ),
  );
  const abort = new AbortController();
  const running = new Operator({
    ...{ api, clock, rng: new SeededRng(1), nowEpochMs: () => NOW_EPOCH_MS + clock.nowMs(), source },
    imagesOf: () => images,
    onFailure: (what, error) => failures.push(`${what}: ${String(error)}`),
    onGone: (key) => gone.push(key),
  }).run(abort.signal);
  const ref = { type: pipelines, namespace, name };
  const find = (deployment: string) => admin.get({ type: deployments, namespace, name: deployment });
  const ready = async (deployment: string) => (await find(deployment))?.status?.readyReplicas ?? 0;
  const condition = async (type: string) =>
    (await admin.get(ref))?.status?.conditions?.find((each) => each.type === type);
  const all = async <T extends KubeObject>(type: (typeof childTypes)[string]) => {
    const page = await admin.list({ type });
    return (page.kind === 'page' ? page.objects : []) as readonly T[];
  };
  const pass = (durationMs: number) => clock.advanceTo(clock.nowMs() + durationMs);
  const stop = async () => {
    abort.abort();
    await running;
  };
  return { clock, kube, cluster, admin, api, source, failures, gone, ref, find, ready, condition, all, pass, stop };
}

describe('Operator', () => {
  it('brings a pipeline up and then leaves the API server in peace', async () => {
    const { pass, ready, condition, admin, ref, api, all, failures, stop } = await start();
    await pass(3_000);
    expect([await ready(SMALL), await ready('shelf')]).toEqual([2, 1]);
    expect((await admin.get(ref))?.status).toMatchObject({ mode: 'auto', replicas: { desired: 3, ready: 3 } });
    expect(await condition('Ready')).toMatchObject({ status: 'True' });
    const news = (await all(events)) as readonly PipelineEvent[];
    const reasons = news.map(({ action, reason }) => `${action} ${reason}`);
    expect(reasons).toEqual(expect.arrayContaining(['Accepted Valid', 'Planned PlanFound', 'Ready AllReady']));
    expect(new Set(reasons).size).toBe(reasons.length);
    api.calls.splice(0);
    await pass(12 * 60_000);
    // The only calls reopen watches that the server ended.
    expect(api.calls.filter((call) => !call.startsWith('watch'))).toEqual([]);
    expect(failures).toEqual([]);
    await stop();
  });

  it('advises without a change', async () => {
    const { pass, all, condition, stop } = await start({ mode: 'advise' });
    await pass(3_000);
    expect(await all(deployments)).toEqual([]);
    expect(await condition('Planned')).toMatchObject({ status: 'True', reason: 'Advised' });
    await stop();
  });

  it('switches a variant so that every pod of a router finds its stages whole until it is gone', async () => {
    const { pass, source, cluster, all, find, ready, condition, stop } = await start();
    await pass(3_000);
    cluster.readyAfterMs = () => 2_000;
    cluster.stopMs = 1_500;
    source.decide(KEY, planWith('large', 3));
    const routers = new Set<string | undefined>();
    for (let i = 0; i < 200; i++) {
      await pass(100);
      const running = (await all<ObservedPod>(pods)).filter(isRouter);
      for (const { metadata } of running) routers.add(metadata.annotations?.['equipoise.dev/config-digest']);
      const isOldThere = running.some(
        ({ metadata }) => metadata.annotations?.['equipoise.dev/config-digest'] === [...routers][0],
      );
      if (isOldThere) expect(await ready(SMALL)).toBe(2);
      if (routers.size > 1) expect(await ready(LARGE)).toBe(3);
      expect(await ready('shelf')).toBeGreaterThanOrEqual(1);
    }
    expect(routers.size).toBe(2);
    expect(await find(SMALL)).toBeUndefined();
    expect(await condition('Ready')).toMatchObject({ status: 'True' });
    await stop();
  });

  it.each([
    ['CrashLoopBackOff', 'CrashLoop'],
    ['ImagePullBackOff', 'ImageUnavailable'],
  ])('keeps what runs when the new variant has %s, says so, and takes the next plan', async (waiting, reason) => {
    const { pass, source, cluster, all, find, ready, condition, stop } = await start();
    await pass(3_000);
    cluster.waitingFor = ({ metadata }) => (metadata.name.startsWith(LARGE) ? waiting : undefined);
    source.decide(KEY, planWith('large', 3));
    await pass(60_000);
    expect(await condition('Degraded')).toMatchObject({ status: 'True', reason });
    expect([await ready(SMALL), await ready('shelf')]).toEqual([2, 1]);
    expect((await all(pods)).filter(isStage).length).toBeLessThanOrEqual(2 + 1 + 3);
    source.decide(KEY, planWith('small', 3));
    await pass(10_000);
    expect(await find(LARGE)).toBeUndefined();
    expect(await ready(SMALL)).toBe(3);
    expect(await condition('Degraded')).toMatchObject({ status: 'False' });
    await stop();
  });

  it('takes back replicas that a person sets', async () => {
    const { pass, admin, find, condition, stop } = await start();
    await pass(3_000);
    written(await admin.scale({ type: deployments, namespace, name: SMALL }, 5, human));
    await pass(30_000);
    expect((await find(SMALL))?.spec.replicas).toBe(2);
    expect(await condition('Degraded')).toMatchObject({ status: 'False' });
    await stop();
  });

  it.each(['an autoscaler', 'an annotation'])('leaves replicas that %s sets, until it is gone', async (by) => {
    const { pass, admin, find, condition, stop } = await start();
    await pass(3_000);
    const scaler = {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'hpa', namespace },
    };
    const named = (value: string | undefined) => ({
      ...{ apiVersion: 'apps/v1', kind: 'Deployment' },
      metadata: { name: SMALL, namespace, ...(value && { annotations: { 'equipoise.dev/replicas-by': value } }) },
    });
    if (by === 'an autoscaler')
      written(
        await admin.create(
          podAutoscalers,
          { ...scaler, spec: { scaleTargetRef: { kind: 'Deployment', name: SMALL } } },
          human,
        ),
      );
    else written(await admin.apply(deployments, named('argo') as never, human));
    written(await admin.scale({ type: deployments, namespace, name: SMALL }, 5, human));
    await pass(30_000);
    expect((await find(SMALL))?.spec.replicas).toBe(5);
    expect(await condition('Degraded')).toMatchObject({ status: 'True', reason: 'ForeignReplicas' });
    if (by === 'an autoscaler') await admin.delete({ type: podAutoscalers, namespace, name: 'hpa' });
    else written(await admin.apply(deployments, named(undefined) as never, human));
    await pass(60_000);
    expect((await find(SMALL))?.spec.replicas).toBe(2);
    await stop();
  });

  it('puts back what somebody deleted or changed', async () => {
    const { pass, admin, all, ready, stop } = await start();
    await pass(3_000);
    for (const type of Object.values(childTypes)) {
      for (const child of await all(type)) await admin.delete({ type, namespace, name: child.metadata.name });
    }
    await pass(5_000);
    expect([await ready(SMALL), await ready('shelf')]).toEqual([2, 1]);
    const config = childTypes['ConfigMap'];
    if (config === undefined) return;
    const [first] = await all<KubeObject & { data?: Readonly<Record<string, string>> }>(config);
    if (first === undefined) return;
    const spoiled = Object.fromEntries(Object.keys(first.data ?? {}).map((key) => [key, 'spoiled']));
    expect(spoiled).not.toEqual({});
    written(await admin.replace(config, { ...first, data: spoiled } as KubeObject, human));
    await pass(5_000);
    const back = (await all<KubeObject & { data?: unknown }>(config)).find(
      ({ metadata }) => metadata.name === first.metadata.name,
    );
    expect(back?.data).toEqual(first.data);
    await stop();
  });

  it('takes a pipeline down router first', async () => {
    const { pass, admin, cluster, ref, all, stop } = await start({ drains: true });
    await pass(3_000);
    cluster.stopMs = 5_000;
    await admin.delete(ref);
    await pass(3_000);
    expect((await all(deployments)).map(({ metadata }) => metadata.name).sort()).toEqual([
      'shelf--classify--only',
      SMALL,
    ]);
    expect(await admin.get(ref)).toBeDefined();
    await pass(20_000);
    expect(await admin.get(ref)).toBeUndefined();
    expect([await all(deployments), await all(pods)]).toEqual([[], []]);
    await stop();
  });

  it('holds no deleted pipeline: its objects go with it, also without an operator', async () => {
    const { pass, admin, ref, all, stop } = await start();
    await pass(3_000);
    expect((await admin.get(ref))?.metadata.finalizers).toBeUndefined();
    await stop();
    await admin.delete(ref);
    expect(await admin.get(ref)).toBeUndefined();
    await pass(3_000);
    expect([await all(deployments), await all(pods)]).toEqual([[], []]);
  });

  it('tries again to take its finalizer off an object that has changed, and takes one that is gone for its end', async () => {
    const { pass, admin, api, ref, failures, stop } = await start({ drains: true });
    await pass(3_000);
    const setFinalizers = api.setFinalizers.bind(api);
    let tries = 0;
    api.setFinalizers = async (...given) => {
      tries += 1;
      if (tries === 1) return { kind: 'refused', reason: 'conflict', message: 'it has been modified', causes: [] };
      await setFinalizers(...given);
      return { kind: 'refused', reason: 'not-found', message: 'it is gone', causes: [] };
    };
    await admin.delete(ref);
    await pass(20_000);
    expect(await admin.get(ref)).toBeUndefined();
    expect([tries, failures.length]).toEqual([2, 1]);
    expect(failures[0]).toMatch('it has been modified');
    await stop();
  });

  it('takes its finalizer off also if a restored backup owns it, too, and leaves those of others', async () => {
    const { pass, admin, ref, stop } = await start({ drains: true });
    await pass(3_000);
    const { apiVersion, kind } = shelf();
    const finalizers = ['equipoise.dev/drain', 'backup.example/hold'];
    const restored = { apiVersion, kind, metadata: { name: ref.name, namespace, finalizers }, spec: undefined };
    written(await admin.apply(pipelines, restored, { fieldManager: 'restore', force: true }));
    await admin.delete(ref);
    await pass(20_000);
    expect((await admin.get(ref))?.metadata.finalizers).toEqual(['backup.example/hold']);
    await stop();
  });

  it('forgets a pipeline that is gone, also one that needed no drain', async () => {
    const { pass, admin, ref, gone, stop } = await start({ mode: 'advise' });
    await pass(3_000);
    expect(gone).toEqual([]);
    await admin.delete(ref);
    await pass(3_000);
    expect(new Set(gone)).toEqual(new Set([KEY]));
    await stop();
  });

  it('serves other pipelines while the objects of an engine cannot be listed', async () => {
    const { pass, admin, api, source, ready, condition, failures, stop } = await start();
    await pass(3_000);
    const list = api.list.bind(api);
    const broken = new AppError('CLUSTER_REFUSED', 'the conversion webhook failed', { details: { httpStatus: 500 } });
    api.list = async (selection, page) => {
      if (selection.type.group === 'serving.kserve.io') throw broken;
      return list(selection, page);
    };
    const annotations = { 'equipoise.dev/target': 'kserve' };
    written(await admin.create(pipelines, shelf({ name: 'other', metadata: { annotations } }), human));
    await pass(3_000);
    source.decide(KEY, planWith('small', 3));
    await pass(20_000);
    expect(await ready(SMALL)).toBe(3);
    expect(await condition('Ready')).toMatchObject({ status: 'True' });
    expect(failures.join()).toContain('the conversion webhook failed');
    expect((await admin.get({ type: pipelines, namespace, name: 'other' }))?.status).toBeUndefined();
    api.list = list;
    await pass(20_000);
    expect((await admin.get({ type: pipelines, namespace, name: 'other' }))?.status).toBeDefined();
    await stop();
  });

  it('tells a pipeline by one event that it may not list some of its objects, and manages it once it may', async () => {
    const rights = { mayList: false };
    const { pass, api, all, ready, failures, stop } = await start({ mayList: () => rights.mayList });
    await pass(60_000);
    const told = ((await all(events)) as readonly PipelineEvent[]).filter(({ reason }) => reason === 'ListRefused');
    expect(told).toEqual([
      expect.objectContaining({
        ...{ type: 'Warning', regarding: expect.objectContaining({ name: 'shelf' }) },
        note: expect.stringContaining('networkpolicies is forbidden'),
      }),
    ]);
    expect(told[0]?.series).toBeUndefined();
    expect(api.calls).not.toContain('create deployments');
    expect(failures.join()).toContain('networkpolicies is forbidden');
    rights.mayList = true;
    await pass(20_000);
    expect(await ready(SMALL)).toBe(2);
    await stop();
  });

  it('is held up by no pod that was evicted, and says so', async () => {
    const { pass, clock, cluster, source, all, find, ready, condition, stop } = await start();
    await pass(3_000);
    const evicted = (await all<ObservedPod>(pods)).map(({ metadata }) => metadata.name);
    for (const name of evicted) cluster.evict(name, NOW_EPOCH_MS + clock.nowMs());
    await pass(3_000);
    expect(await condition('Ready')).toMatchObject({ status: 'True' });
    expect(await condition('Degraded')).toMatchObject({ status: 'True', reason: 'Evicted' });
    source.decide(KEY, planWith('large', 3));
    await pass(20_000);
    expect([await find(SMALL), await ready(LARGE), await ready('shelf')]).toEqual([undefined, 3, 1]);
    expect(await condition('Ready')).toMatchObject({ status: 'True' });
    const left = (await all<ObservedPod>(pods)).map(({ metadata }) => metadata.name);
    expect(left.filter((name) => evicted.includes(name)).length).toBeGreaterThan(0);
    await stop();
  });

  it('says which pod is evicted until its replacement is ready', async () => {
    const { pass, cluster, all, admin, condition, stop } = await start();
    await pass(3_000);
    cluster.readyAfterMs = () => 2_000;
    cluster.stopMs = 5_000;
    const pod = (await all<ObservedPod>(pods)).find(isStage);
    if (pod === undefined) throw new Error('there is no pod of a stage');
    const { name } = pod.metadata;
    const target = { type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI', message: 'evicting' };
    const status = { ...pod.status, conditions: [target] };
    await admin.applyStatus(pods, { ...pod, metadata: { name, namespace }, status }, { ...human, force: true });
    await admin.delete(refTo(pods, pod));
    await pass(1_000);
    const evicted = `n/${name}: EvictionByEvictionAPI: evicting`;
    expect(await condition('Ready')).toMatchObject({ status: 'False', message: expect.stringContaining(evicted) });
    await pass(10_000);
    expect(await condition('Ready')).toMatchObject({ status: 'True' });
    expect(await condition('Degraded')).toMatchObject({ status: 'False' });
    await stop();
  });

  it('waits for a pod that ends, but not for ever for one of a dead node', async () => {
    const { pass, cluster, source, find, condition, admin, ref, stop } = await start({ drains: true });
    await pass(3_000);
    cluster.stopMs = Number.POSITIVE_INFINITY;
    source.decide(KEY, planWith('large', 3));
    await pass(280_000);
    expect(await condition('Ready')).toMatchObject({ status: 'False', reason: 'Switching' });
    expect(await find(SMALL)).toBeDefined();
    await pass(400_000);
    expect(await condition('Ready')).toMatchObject({ status: 'True' });
    expect(await find(SMALL)).toBeUndefined();
    await admin.delete(ref);
    await pass(280_000);
    expect(await admin.get(ref)).toBeDefined();
    await pass(400_000);
    expect(await admin.get(ref)).toBeUndefined();
    await stop();
  });

  it('goes on after the API server was away, and one that starts anew finds everything in the cluster', async () => {
    const { pass, kube, api, source, ready, clock, admin, failures, stop } = await start();
    await pass(3_000);
    api.line = 'down';
    kube.dropWatches();
    source.decide(KEY, planWith('small', 3));
    await pass(30_000);
    expect(failures.length).toBeGreaterThan(0);
    expect(await ready(SMALL)).toBe(2);
    kube.compact();
    api.line = 'up';
    await pass(90_000);
    expect(await ready(SMALL)).toBe(3);
    await stop();

    const versions = async () => await admin.list({ type: deployments });
    const before = await versions();
    const abort = new AbortController();
    const second = new Operator({
      ...{
        api: new MemoryKubeApi(kube),
        clock,
        rng: new SeededRng(2),
        nowEpochMs: () => NOW_EPOCH_MS + clock.nowMs(),
        source,
      },
      imagesOf: () => images,
      onFailure: () => {},
    }).run(abort.signal);
    await pass(10_000);
    const after = await versions();
    expect(after.kind === 'page' && after.objects).toEqual(before.kind === 'page' && before.objects);
    abort.abort();
    await second;
  });
});
