/** The operator with its shipped rights, against a real control plane and a node without containers. */
import { describeWithTool } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import { pageOf, written } from '../api/conformance/subject.test-support.js';
import type { Selection } from '../api/kube-api.js';
import type { KubeObject } from '../api/kube-object.js';
import {
  deployments,
  type InferencePipeline,
  isRouter,
  nodes,
  type ObservedDeployment,
  type ObservedPod,
  pipelines,
  pods as podType,
} from '../cluster/observed-objects.js';
import { events } from '../deploy/events.js';
import { Operator } from '../deploy/operator.js';
import { podAutoscalers } from '../observe/autoscalers.js';
import { shareOf } from '../reconcile/canary-router.js';
import { eventually, installNodeRights } from './cluster-objects.test-support.js';
import { ClusterSuite, human } from './cluster-suite.test-support.js';
import type { PodObject } from './fake-kubelet.test-support.js';
import { controlPlane } from './kube-binaries.test-support.js';
import { planWith, ToldPlans } from './memory/pipeline-fixture.test-support.js';
import { SMALL, startOperator } from './operator-in-process.test-support.js';
import type { PodHost } from './pod-host.test-support.js';

const LARGE = 'shelf--detect--large';

describeWithTool(controlPlane, 'the operator on a real control plane', () => {
  const suite = new ClusterSuite();

  /** Calls `see` with the objects at every change of one of them, from now on. A poll could miss a short state. */
  async function watched<T extends KubeObject>(
    selection: Selection<T>,
    see: (objects: readonly T[]) => void,
    signal: AbortSignal,
  ): Promise<{ readonly ended: Promise<void> }> {
    const { objects, resourceVersion } = pageOf(await suite.admin.list(selection));
    const present = new Map(objects.map((object) => [object.metadata.name, object]));
    see(objects);
    const watching = async () => {
      for await (const event of suite.admin.watch(selection, { resourceVersion, timeoutSeconds: 600 }, signal)) {
        if (!('object' in event)) continue;
        if (event.kind === 'deleted') present.delete(event.object.metadata.name);
        else present.set(event.object.metadata.name, event.object);
        see([...present.values()]);
      }
    };
    const ended = watching();
    // After a failed test the server stops before the watch; the broken watch is no second failure.
    ended.catch(() => undefined);
    return { ended };
  }

  /** True once the server refuses a pod of 64 MiB; it may learn of a new limit late. */
  async function refusesPods(namespace: string): Promise<boolean> {
    const containers = [{ name: 'main', image: 'none:1', resources: { limits: { memory: '64Mi' } } }];
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'probe', namespace }, spec: { containers } };
    const result = await suite.admin.create(podType, pod as ObservedPod, human).catch(() => undefined);
    if (result?.kind !== 'written') return true;
    await suite.admin.delete({ type: podType, namespace, name: 'probe' }, { graceSeconds: 0 });
    return false;
  }

  /** Shares that the router of a namespace forwards from now on, each once. */
  async function watchedShares(namespace: string, signal: AbortSignal) {
    const shares: number[] = [];
    let changedAtMs = performance.now();
    const see = ([router]: readonly ObservedDeployment[]): void => {
      const share = router === undefined ? undefined : shareOf(router.spec.template);
      if (share === undefined || share === shares.at(-1)) return;
      shares.push(share);
      changedAtMs = performance.now();
    };
    const selection = { type: deployments, namespace, fieldSelector: 'metadata.name=shelf' };
    const { ended } = await watched(selection, see, signal);
    return { shares, ended, sinceMs: () => performance.now() - changedAtMs };
  }

  it('switches a variant and never has less than one whole of the two', async () => {
    const { namespace, source, abort, run, find, create, settled } = await startOperator(suite);
    await create();
    const running = run(abort.signal);
    await settled();
    const seen: string[] = [];
    const see = (present: readonly ObservedDeployment[]): void => {
      const ready = (name: string) =>
        present.find(({ metadata }) => metadata.name === name)?.status?.readyReplicas ?? 0;
      seen.push(`${ready(SMALL)} ${ready(LARGE)} ${ready('shelf')}`);
    };
    const watching = await watched({ type: deployments, namespace }, see, abort.signal);
    suite.kubelet.fateOf = () => ({ kind: 'ready', afterMs: 500 });
    source.decide(`${namespace}/shelf`, planWith('large', 3));
    await eventually(async () => (await find(SMALL)) === undefined);
    await settled();
    suite.kubelet.fateOf = () => ({ kind: 'ready', afterMs: 0 });
    for (const line of seen) {
      const [small = 0, large = 0, router = 0] = line.split(' ').map(Number);
      expect(router, line).toBeGreaterThanOrEqual(1);
      expect(small === 2 || large === 3, line).toBe(true);
    }
    expect(seen.some((line) => line.startsWith('2 3 '))).toBe(true);
    abort.abort();
    await Promise.all([running, watching.ended]);
  });

  it('brings requests to a new variant in steps, and takes one back that fails', async () => {
    const { namespace, source, ahead, abort, run, ref, condition, find, isReady, failures, create, settled } =
      await startOperator(suite);
    const side = (ended: number, missed: number) => ({ ended, missed });
    const observed = { arrivalRps: 50, percentile: 99, sloAttainmentFraction: 1 };
    await create();
    const running = run(abort.signal);
    await settled();
    const given = await watchedShares(namespace, abort.signal);
    // The counts of a share start with the share, so for some seconds they have no meaning.
    source.situation = () => ({
      observed,
      sides: {
        before: side(500, 0),
        after: side(500, 0),
        passedOn: 500,
        observedMs: given.sinceMs() < 3_000 ? 0 : 20_000,
      },
    });
    const told = new Set<number | undefined>();
    const tell = ([pipeline]: readonly InferencePipeline[]) => told.add(pipeline?.status?.shift?.fraction);
    const telling = await watched({ type: pipelines, namespace }, tell, abort.signal);
    const isThere = async (name: string) => (await find(name)) !== undefined;
    source.decide(`${namespace}/shelf`, planWith('large', 3));
    await eventually(async () => {
      expect(await isReady('shelf', 0)).toBe(false);
      return given.shares.length === 4;
    });
    expect([...told]).toEqual(expect.arrayContaining([0.1, 0.5]));
    expect(given.shares).toEqual([0, 0.1, 0.5, 0]);
    await settled();
    // During the trial the old replicas stay for a roll-back.
    expect(await isThere(SMALL)).toBe(true);
    ahead.ms = 60_000;
    source.decide(`${namespace}/shelf`, planWith('large', 3));
    await eventually(async () => !(await isThere(SMALL)));
    expect(await isReady('shelf', 0)).toBe(false);
    expect(await isThere('shelf--next')).toBe(false);

    source.situation = () => ({
      observed,
      sides: { before: side(450, 0), after: side(50, 30), passedOn: 50, observedMs: 5_000 },
    });
    source.decide(`${namespace}/shelf`, planWith('small', 2));
    await eventually(async () => (await condition('Degraded'))?.reason === 'RolledBack');
    expect((await suite.admin.get(ref))?.status?.rollback).toMatchObject({
      workloads: [SMALL],
      fraction: 0.1,
      failures: 1,
    });
    await eventually(async () => !(await isThere(SMALL)) && !(await isThere('shelf--next')));
    expect([await isReady(LARGE, 3), await isReady('shelf', 1)]).toEqual([true, true]);
    const page = await suite.admin.list({ type: events, namespace });
    const reasons = page.kind === 'page' ? page.objects.map(({ reason }) => reason) : [];
    expect(reasons).toEqual(expect.arrayContaining(['Shifting', 'RolledBack']));
    abort.abort();
    await Promise.all([running, given.ended, telling.ended]);
    expect(failures).toEqual([]);
  });

  it.each([
    ['crash-loop', 'CrashLoop'],
    ['image-missing', 'ImageUnavailable'],
  ] as const)(
    'keeps what runs when the new variant is in %s, says so, and takes the next plan',
    async (kind, reason) => {
      const { namespace, source, abort, run, condition, find, isReady, all, create, settled } =
        await startOperator(suite);
      await create();
      const running = run(abort.signal);
      await settled();
      suite.kubelet.fateOf = (pod: PodObject) =>
        pod.metadata.name.startsWith(LARGE) ? { kind } : { kind: 'ready', afterMs: 0 };
      source.decide(`${namespace}/shelf`, planWith('large', 3));
      await eventually(async () => (await condition('Degraded'))?.reason === reason);
      expect(await isReady(SMALL, 2)).toBe(true);
      expect((await find('shelf'))?.status?.readyReplicas).toBe(1);
      const total = (await all()).reduce((sum, { spec }) => sum + (spec.replicas ?? 0), 0);
      // The four old replicas (router included), plus at most three new ones.
      expect(total).toBeLessThanOrEqual(2 + 1 + 1 + 3);
      source.decide(`${namespace}/shelf`, planWith('small', 3));
      await eventually(async () => (await find(LARGE)) === undefined && (await isReady(SMALL, 3)));
      await eventually(async () => (await condition('Degraded'))?.status === 'False');
      suite.kubelet.fateOf = () => ({ kind: 'ready', afterMs: 0 });
      abort.abort();
      await running;
    },
  );

  it('leaves replicas that an autoscaler sets, and takes back those of a person', async () => {
    const { namespace, abort, run, find, condition, create, settled } = await startOperator(suite);
    await create();
    const running = run(abort.signal);
    await settled();
    const replicas = async () => (await find(SMALL))?.spec.replicas;
    const target = { apiVersion: 'apps/v1', kind: 'Deployment', name: SMALL };
    const spec = { scaleTargetRef: target, minReplicas: 5, maxReplicas: 5 };
    const named = {
      metadata: { name: 'five', namespace },
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
    };
    written(await suite.admin.create(podAutoscalers, { ...named, spec }, human));
    await eventually(async () => (await condition('Degraded'))?.reason === 'ForeignReplicas');
    expect(await replicas()).toBe(5);
    expect((await condition('Degraded'))?.message).toContain('5 replicas by HorizontalPodAutoscaler five');
    await suite.admin.delete({ type: podAutoscalers, namespace, name: 'five' });
    await eventually(async () => (await replicas()) === 2);
    const scaled = written(await suite.admin.scale({ type: deployments, namespace, name: SMALL }, 4, human));
    await eventually(async () => {
      const live = await find(SMALL);
      return live?.spec.replicas === 2 && live.metadata.resourceVersion !== scaled.metadata.resourceVersion;
    });
    abort.abort();
    await running;
  });

  it('names pods that the server refuses, keeps what runs, and goes on once it admits them', async () => {
    const { namespace, source, abort, run, find, condition, isReady, create, settled } = await startOperator(suite);
    await create();
    const running = run(abort.signal);
    await settled();
    const ranges = { group: '', version: 'v1', kind: 'LimitRange', plural: 'limitranges', namespaced: true };
    const spec = { limits: [{ type: 'Container', max: { memory: '1Mi' } }] };
    const range = { apiVersion: 'v1', kind: 'LimitRange', metadata: { name: 'small', namespace }, spec };
    written(await suite.admin.create(ranges, range, human));
    await eventually(() => refusesPods(namespace));
    source.decide(`${namespace}/shelf`, planWith('small', 3));
    await eventually(async () => (await condition('Degraded'))?.reason === 'PodsRefused');
    expect((await condition('Degraded'))?.message).toMatch(
      /^shelf--detect--small: .*maximum memory usage per Container/,
    );
    expect((await find(SMALL))?.status?.readyReplicas).toBe(2);
    await suite.admin.delete({ type: ranges, namespace, name: 'small' });
    await eventually(() => isReady(SMALL, 3));
    await eventually(async () => (await condition('Degraded'))?.status === 'False');
    abort.abort();
    await running;
  });

  it('says if another operator writes the same pipelines', async () => {
    const { base, abort, run, condition, create } = await startOperator(suite);
    await create();
    const other = { ...base, source: new ToldPlans(planWith('small', 3)) };
    const running = [run(abort.signal), new Operator(other).run(abort.signal)];
    await eventually(async () => (await condition('Degraded'))?.reason === 'OperatorsOverlap');
    abort.abort();
    await Promise.all(running);
  });

  it('names the pressure of a node with its pods while it lasts, once it may read nodes', async () => {
    const { base, abort, condition, failures, create, settled } = await startOperator(suite);
    await create();
    const refused = new AbortController();
    const withoutRight = new Operator({ ...base, watchesNodes: true }).run(refused.signal);
    await settled();
    await eventually(async () => failures.length > 0);
    expect(failures).toEqual([
      expect.stringMatching(/^nodes: .*cannot list resource "nodes".*deploy\/kubernetes-nodes/),
    ]);
    refused.abort();
    await withoutRight;
    await installNodeRights(suite.admin);
    await eventually(async () => (await base.api.list({ type: nodes }).catch(() => undefined)) !== undefined);
    const running = new Operator({ ...base, watchesNodes: true }).run(abort.signal);
    const [node] = pageOf(await suite.admin.list({ type: nodes })).objects;
    const name = node?.metadata.name ?? '';
    const message = 'kubelet has insufficient memory available';
    const report = async (status: 'True' | 'False') => {
      const conditions = [{ type: 'MemoryPressure', status, message }];
      const object = { apiVersion: 'v1', kind: 'Node', metadata: { name }, status: { conditions } };
      written(await suite.admin.applyStatus(nodes, object, { ...human, force: true }));
    };
    await report('True');
    await eventually(async () => (await condition('Degraded'))?.reason === 'NodePressure');
    expect((await condition('Degraded'))?.message).toBe(`node ${name}: MemoryPressure=True: ${message}`);
    await report('False');
    await eventually(async () => (await condition('Degraded'))?.status === 'False');
    expect(failures).toHaveLength(1);
    abort.abort();
    await running;
  });

  // Last, because it takes 44 s as the first test of a new control plane.
  it('brings a pipeline up, and takes it down router first', async () => {
    const { namespace, abort, run, ref, condition, all, failures, create, settled } = await startOperator(suite);
    let stop = (): void => {};
    const stopped = new Promise<void>((resolve) => {
      stop = resolve;
    });
    const host: PodHost = { start: (_pod, _ip, changed) => changed(true), stop: () => stopped };
    suite.kubelet.fateOf = () => ({ kind: 'hosted', host });
    await create({ 'equipoise.dev/drain': 'true' });
    const running = run(abort.signal);
    await settled();
    expect((await all()).map(({ metadata }) => metadata.name).sort()).toEqual([
      'shelf',
      'shelf--classify--only',
      SMALL,
    ]);
    expect((await suite.admin.get(ref))?.status).toMatchObject({ mode: 'auto', replicas: { desired: 3, ready: 3 } });
    expect(await condition('Accepted')).toMatchObject({ status: 'True' });
    expect(await condition('Degraded')).toMatchObject({ status: 'False' });
    const told = await suite.admin.list({ type: events, namespace });
    const reasons = told.kind === 'page' ? told.objects.map(({ reason }) => reason) : [];
    expect(reasons).toEqual(expect.arrayContaining(['Valid', 'PlanFound', 'AllReady']));

    await suite.admin.delete(ref);
    await eventually(async () => !(await all()).some(isRouter));
    // The router's pod still answers running requests.
    expect((await all()).length).toBe(2);
    expect(await suite.admin.get(ref)).toBeDefined();
    stop();
    await eventually(async () => (await suite.admin.get(ref)) === undefined && (await all()).length === 0);
    suite.kubelet.fateOf = () => ({ kind: 'ready', afterMs: 0 });
    abort.abort();
    await running;
    expect(failures).toEqual([]);
  });

  it('may not do what it does not need', async () => {
    const { namespace, base } = await startOperator(suite);
    const secrets = { group: '', version: 'v1', kind: 'Secret', plural: 'secrets', namespaced: true };
    await expect(base.api.list({ type: secrets, namespace })).rejects.toMatchObject({ details: { httpStatus: 403 } });
    await expect(base.api.list({ type: podType })).rejects.toMatchObject({ details: { httpStatus: 403 } });
  });
});
