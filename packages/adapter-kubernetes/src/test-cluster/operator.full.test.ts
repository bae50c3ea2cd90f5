/** The operator with its shipped rights, against a real control plane and a node without containers. */
import { SeededRng } from '@equipoise/core/model';
import { describeWithTool } from '@equipoise/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { written } from '../api/conformance/subject.test-support.js';
import type { KubeApi } from '../api/kube-api.js';
import type { KubeObject } from '../api/kube-object.js';
import { LeaseElector } from '../cluster/lease-elector.js';
import {
  deployments,
  type InferencePipeline,
  isRouter,
  pipelines,
  pods as podType,
} from '../cluster/observed-objects.js';
import { pipelineDefinition } from '../crd/pipeline-crd.js';
import { events } from '../deploy/events.js';
import { Operator } from '../deploy/operator.js';
import { shareOf } from '../reconcile/canary-router.js';
import {
  customResources,
  definitionServed,
  eventually,
  installOperatorRights,
  namespaceOfOperator,
  operatorAccount,
} from './cluster-objects.test-support.js';
import { ControlPlane, serviceAccount } from './control-plane.test-support.js';
import { FakeKubelet, type PodObject } from './fake-kubelet.test-support.js';
import { controlPlane, kubeBinariesFolder } from './kube-binaries.test-support.js';
import { images, planWith, shelf, ToldPlans } from './memory/pipeline-fixture.test-support.js';
import { realClock } from './real-clock.test-support.js';

const user = serviceAccount(operatorAccount.namespace, operatorAccount.name);
const SMALL = 'shelf--detect--small';
const LARGE = 'shelf--detect--large';
const human = { fieldManager: 'kubectl' };

describeWithTool(controlPlane, 'the operator on a real control plane', () => {
  let plane: ControlPlane;
  let admin: KubeApi;
  let kubelet: FakeKubelet;

  beforeAll(async () => {
    plane = await ControlPlane.start(kubeBinariesFolder(), [user]);
    admin = await plane.api();
    const definition = pipelineDefinition() as KubeObject & { spec: unknown };
    written(await admin.apply(customResources, definition, human));
    await definitionServed(admin, definition.metadata.name);
    await installOperatorRights(admin);
    kubelet = new FakeKubelet(admin);
    await kubelet.start();
  }, 300_000);

  afterAll(async () => {
    await kubelet?.stop();
    await plane?.stop();
  }, 60_000);

  /** Operator of a new namespace, with helpers to read it. */
  async function start(plan = planWith('small', 2)) {
    const namespace = await namespaceOfOperator(admin);
    const source = new ToldPlans(plan);
    const failures: string[] = [];
    const base = {
      ...{
        api: await plane.api(user),
        clock: realClock,
        rng: new SeededRng(5),
        nowEpochMs: () => Date.now(),
        source,
        namespace,
      },
      imagesOf: () => images,
      onFailure: (what: string, error: unknown) => failures.push(`${what}: ${String(error)}`),
    };
    const abort = new AbortController();
    const run = (signal: AbortSignal) => new Operator(base).run(signal);
    const ref = { type: pipelines, namespace, name: 'shelf' };
    const find = (name: string) => admin.get({ type: deployments, namespace, name });
    const condition = async (type: string) =>
      (await admin.get(ref))?.status?.conditions?.find((each) => each.type === type);
    const isReady = async (name: string, replicas: number) => (await find(name))?.status?.readyReplicas === replicas;
    const all = async () => {
      const page = await admin.list({ type: deployments, namespace });
      return page.kind === 'page' ? page.objects : [];
    };
    return { namespace, source, failures, abort, run, ref, find, condition, isReady, all, base };
  }

  const create = async (namespace: string): Promise<InferencePipeline> => {
    const { metadata, ...rest } = shelf({ namespace });
    const { name } = metadata;
    return written(await admin.create(pipelines, { ...rest, metadata: { name, namespace } }, human));
  };

  /** Shares that the router of a namespace forwards from now on, each once. */
  async function watchedShares(namespace: string, signal: AbortSignal) {
    const selection = { type: deployments, namespace, fieldSelector: 'metadata.name=shelf' };
    const page = await admin.list(selection);
    if (page.kind !== 'page') throw new Error('the list expired');
    const shares = page.objects.map(({ spec }) => shareOf(spec.template));
    let changedAtMs = performance.now();
    const { resourceVersion } = page;
    const watching = async () => {
      for await (const event of admin.watch(selection, { resourceVersion, timeoutSeconds: 300 }, signal)) {
        if (event.kind !== 'modified') continue;
        const share = shareOf(event.object.spec.template);
        if (share === shares.at(-1)) continue;
        shares.push(share);
        changedAtMs = performance.now();
      }
    };
    const watched = watching();
    // After a failed test the server stops before the watch; the broken watch is no second failure.
    watched.catch(() => undefined);
    return { shares, watched, sinceMs: () => performance.now() - changedAtMs };
  }

  const settled = (condition: (type: string) => Promise<{ status: string } | undefined>) =>
    eventually(async () => (await condition('Ready'))?.status === 'True');

  it('brings a pipeline up, and takes it down router first', async () => {
    const { namespace, abort, run, ref, condition, all, failures } = await start();
    await create(namespace);
    const running = run(abort.signal);
    await settled(condition);
    expect((await all()).map(({ metadata }) => metadata.name).sort()).toEqual([
      'shelf',
      'shelf--classify--only',
      SMALL,
    ]);
    expect((await admin.get(ref))?.status).toMatchObject({ mode: 'auto', replicas: { desired: 3, ready: 3 } });
    expect(await condition('Accepted')).toMatchObject({ status: 'True' });
    expect(await condition('Degraded')).toMatchObject({ status: 'False' });
    const told = await admin.list({ type: events, namespace });
    const reasons = told.kind === 'page' ? told.objects.map(({ reason }) => reason) : [];
    expect(reasons).toEqual(expect.arrayContaining(['Valid', 'PlanFound', 'AllReady']));

    kubelet.stopMs = 1_500;
    await admin.delete(ref);
    await eventually(async () => !(await all()).some(isRouter));
    // The router's pod still answers running requests.
    expect((await all()).length).toBe(2);
    expect(await admin.get(ref)).toBeDefined();
    await eventually(async () => (await admin.get(ref)) === undefined && (await all()).length === 0);
    kubelet.stopMs = 0;
    abort.abort();
    await running;
    expect(failures).toEqual([]);
  }, 180_000);

  it('switches a variant and never has less than one whole of the two', async () => {
    const { namespace, source, abort, run, condition, find, all } = await start();
    await create(namespace);
    const running = run(abort.signal);
    await settled(condition);
    const seen: string[] = [];
    const watching = new AbortController();
    const looking = (async () => {
      while (!watching.signal.aborted) {
        // One list shows one instant; three requests would not.
        const present = await all();
        const ready = (name: string) =>
          present.find(({ metadata }) => metadata.name === name)?.status?.readyReplicas ?? 0;
        seen.push(`${ready(SMALL)} ${ready(LARGE)} ${ready('shelf')}`);
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
    })();
    kubelet.fateOf = () => ({ kind: 'ready', afterMs: 500 });
    source.decide(`${namespace}/shelf`, planWith('large', 3));
    await eventually(async () => (await find(SMALL)) === undefined);
    await settled(condition);
    watching.abort();
    await looking;
    kubelet.fateOf = () => ({ kind: 'ready', afterMs: 0 });
    for (const line of seen) {
      const [small = 0, large = 0, router = 0] = line.split(' ').map(Number);
      expect(router, line).toBeGreaterThanOrEqual(1);
      expect(small === 2 || large === 3, line).toBe(true);
    }
    expect(seen.some((line) => line.startsWith('2 3 '))).toBe(true);
    abort.abort();
    await running;
  }, 180_000);

  it('brings requests to a new variant in steps, and takes one back that fails', async () => {
    const { namespace, source, abort, run, ref, condition, find, isReady, failures } = await start();
    const side = (ended: number, missed: number) => ({ ended, missed });
    const observed = { arrivalRps: 50, percentile: 99, sloAttainmentFraction: 1 };
    await create(namespace);
    const running = run(abort.signal);
    await settled(condition);
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
    const isThere = async (name: string) => (await find(name)) !== undefined;
    source.decide(`${namespace}/shelf`, planWith('large', 3));
    await eventually(async () => {
      told.add((await admin.get(ref))?.status?.shift?.fraction);
      expect(await isReady('shelf', 0)).toBe(false);
      return !(await isThere(SMALL));
    }, 120_000);
    expect([...told]).toEqual(expect.arrayContaining([0.1, 0.5]));
    expect(given.shares).toEqual([0, 0.1, 0.5, 0]);
    await settled(condition);
    expect(await isThere('shelf--next')).toBe(false);

    source.situation = () => ({
      observed,
      sides: { before: side(450, 0), after: side(50, 30), passedOn: 50, observedMs: 5_000 },
    });
    source.decide(`${namespace}/shelf`, planWith('small', 2));
    await eventually(async () => (await condition('Degraded'))?.reason === 'RolledBack', 60_000);
    expect((await admin.get(ref))?.status?.rollback).toMatchObject({ workloads: [SMALL], fraction: 0.1, failures: 1 });
    await eventually(async () => !(await isThere(SMALL)) && !(await isThere('shelf--next')), 60_000);
    expect([await isReady(LARGE, 3), await isReady('shelf', 1)]).toEqual([true, true]);
    const page = await admin.list({ type: events, namespace });
    const reasons = page.kind === 'page' ? page.objects.map(({ reason }) => reason) : [];
    expect(reasons).toEqual(expect.arrayContaining(['Shifting', 'RolledBack']));
    abort.abort();
    await Promise.all([running, given.watched]);
    expect(failures).toEqual([]);
  }, 300_000);

  it.each([
    ['crash-loop', 'CrashLoop'],
    ['image-missing', 'ImageUnavailable'],
  ] as const)(
    'keeps what runs when the new variant is in %s, says so, and takes the next plan',
    async (kind, reason) => {
      const { namespace, source, abort, run, condition, find, isReady, all } = await start();
      await create(namespace);
      const running = run(abort.signal);
      await settled(condition);
      kubelet.fateOf = (pod: PodObject) =>
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
      kubelet.fateOf = () => ({ kind: 'ready', afterMs: 0 });
      abort.abort();
      await running;
    },
    180_000,
  );

  it('leaves replicas that somebody else sets', async () => {
    const { namespace, abort, run, condition, find } = await start();
    await create(namespace);
    const running = run(abort.signal);
    await settled(condition);
    written(await admin.scale({ type: deployments, namespace, name: SMALL }, 5, human));
    await eventually(async () => (await condition('Degraded'))?.reason === 'ForeignReplicas');
    expect((await condition('Degraded'))?.message).toContain(`${SMALL} has 5 replicas by kubectl, the plan wants 2`);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect((await find(SMALL))?.spec.replicas).toBe(5);
    abort.abort();
    await running;
  }, 180_000);

  it('goes on after the API server was away', async () => {
    const { namespace, source, abort, run, condition, find, isReady } = await start();
    await create(namespace);
    const running = run(abort.signal);
    await settled(condition);
    await plane.killApiServer();
    source.decide(`${namespace}/shelf`, planWith('small', 3));
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    await plane.startApiServer();
    await eventually(async () => isReady(SMALL, 3), 120_000);
    expect((await find(SMALL))?.spec.replicas).toBe(3);
    abort.abort();
    await running;
  }, 300_000);

  it('hands over to a second operator when the first is cut off', async () => {
    const { namespace, source, abort, run, condition, isReady, base } = await start();
    await create(namespace);
    const times = { durationMs: 3_000, renewWithinMs: 2_000, retryMs: 300 };
    const led: string[] = [];
    const stand = async (identity: string, signal: AbortSignal, api: KubeApi) => {
      const elector = new LeaseElector(
        { api, clock: realClock, rng: new SeededRng(identity.length), nowEpochMs: () => Date.now(), times },
        { ...operatorAccount, identity },
      );
      const lead = (leading: AbortSignal): Promise<void> => {
        led.push(identity);
        return run(leading);
      };
      await elector.run({ lead }, signal);
    };
    const cut = { isCut: false };
    const first = new Proxy(base.api, {
      get: (api, name) => (cut.isCut ? () => Promise.reject(new Error('cut off')) : Reflect.get(api, name).bind(api)),
    });
    const gone = new AbortController();
    const one = stand('first', gone.signal, first);
    await settled(condition);
    const two = stand('second', abort.signal, base.api);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(led).toEqual(['first']);
    cut.isCut = true;
    await eventually(async () => led.includes('second'));
    source.decide(`${namespace}/shelf`, planWith('small', 3));
    await eventually(async () => isReady(SMALL, 3));
    abort.abort();
    gone.abort();
    await Promise.all([one, two]);
  }, 180_000);

  it('may not do what it does not need', async () => {
    const { namespace, base } = await start();
    const secrets = { group: '', version: 'v1', kind: 'Secret', plural: 'secrets', namespaced: true };
    await expect(base.api.list({ type: secrets, namespace })).rejects.toMatchObject({ details: { httpStatus: 403 } });
    await expect(base.api.list({ type: podType })).rejects.toMatchObject({ details: { httpStatus: 403 } });
  });
});
