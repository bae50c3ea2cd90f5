import { stageId } from '@equipoise/core/model';
import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../api/kube-object.js';
import {
  childTypes,
  deployments,
  isReady,
  isRouter,
  isStage,
  type ObservedPod,
  pods,
  routerOf,
} from '../cluster/observed-objects.js';
import { shareOf } from '../reconcile/canary-router.js';
import type { Deployment, PodDisruptionBudget, Service } from '../render/manifest-types.js';
import {
  fraction,
  heard,
  KEY,
  LARGE,
  ROUTER,
  SMALL,
  side,
  start,
  well,
} from '../test-cluster/memory/canary-rig.test-support.js';
import { planWith, shelf, wantedBy } from '../test-cluster/memory/pipeline-fixture.test-support.js';
import { endpointSlices } from '../test-cluster/service-names.test-support.js';

type Rig = Awaited<ReturnType<typeof start>>;

const SECOND = {
  router: 'shelf--router-1',
  small: 'shelf--detect--small--router-1',
  large: 'shelf--detect--large--router-1',
};

const namesOf = async (rig: Rig) => (await rig.all(deployments)).map(({ metadata }) => metadata.name).sort();

/** Addresses behind a Service. */
async function addressesOf(rig: Rig, name: string): Promise<readonly string[]> {
  const slice = await rig.admin.get({ type: endpointSlices, namespace: 'n', name });
  return slice?.endpoints?.flatMap(({ addresses }) => addresses) ?? [];
}

const entryCount = async (rig: Rig): Promise<number> => (await addressesOf(rig, ROUTER)).length;

/** Selected pods that come from now on never become ready. */
async function unfitPods(rig: Rig, isUnfit: (pod: KubeObject) => boolean): Promise<void> {
  const present = new Set((await rig.all<ObservedPod>(pods as never)).map(({ metadata }) => metadata.uid));
  rig.cluster.readyAfterMs = (pod) => (isUnfit(pod) && !present.has(pod.metadata.uid) ? Number.POSITIVE_INFINITY : 500);
}

const isSettled = (rig: Rig) => async () => {
  const ready = await rig.condition('Ready');
  return ready?.status === 'True';
};

/** Pods of the cluster that a selector selects. */
const selectedBy = async (rig: Rig, selector: Readonly<Record<string, string>>) =>
  (await rig.all<ObservedPod>(pods as never)).filter(({ metadata }) =>
    Object.entries(selector).every(([label, value]) => metadata.labels?.[label] === value),
  );

async function twoRouters(): Promise<Rig> {
  const rig = await start();
  rig.source.decide(KEY, planWith('small', 1), 2);
  await rig.until(async () => (await rig.ready(SECOND.router)) === 1);
  // The first then gives up the replica that the second has.
  await rig.until(async () => (await rig.ready(SMALL)) === 1);
  await rig.until(isSettled(rig));
  return rig;
}

describe('a second router', () => {
  it('is ready with its own pods before the first gives replicas up', async () => {
    const rig = await start();
    expect(await rig.ready(SMALL)).toBe(2);
    // The pods of the second router start slowly.
    rig.cluster.readyAfterMs = (pod) => (routerOf(pod) === 1 ? 20_000 : 500);
    rig.source.decide(KEY, planWith('small', 1), 2);
    await rig.until(async () => {
      expect(await entryCount(rig)).toBeGreaterThanOrEqual(1);
      if ((await rig.ready(SECOND.router)) === 0) expect(await rig.ready(SMALL)).toBe(2);
      return (await rig.ready(SECOND.router)) === 1 && (await rig.ready(SMALL)) === 1 && (await isSettled(rig)());
    });
    expect(await namesOf(rig)).toEqual([
      ROUTER,
      'shelf--classify--only',
      'shelf--classify--only--router-1',
      SMALL,
      SECOND.small,
      SECOND.router,
    ]);
    expect(await entryCount(rig)).toBe(2);
    expect(await rig.status()).toMatchObject({
      plan: { routers: 2, stages: { detect: [{ replicas: 2 }] }, predicted: { cpuCores: 4 } },
      replicas: { desired: 4, ready: 4 },
    });
    expect(rig.failures).toEqual([]);
    await rig.stop();
  });

  it('shares no pod with the first, by no Service, and both are in one disruption budget', async () => {
    const rig = await twoRouters();
    const services = await rig.all<Service>(childTypes['Service'] as never);
    for (const { metadata, spec } of services) {
      const selected = await selectedBy(rig, spec.selector);
      const routers = new Set(selected.map(routerOf));
      expect(routers.size).toBe(metadata.name === ROUTER ? 2 : 1);
      if (metadata.name === ROUTER) expect(selected.every(isRouter)).toBe(true);
      else expect(selected.every(isStage)).toBe(true);
    }
    const budgets = await rig.all<PodDisruptionBudget>(childTypes['PodDisruptionBudget'] as never);
    const selections = await Promise.all(budgets.map(({ spec }) => selectedBy(rig, spec.selector.matchLabels)));
    const everyPod = await rig.all<ObservedPod>(pods as never);
    // The eviction API refuses pods with several budgets.
    expect(selections.flat()).toHaveLength(everyPod.length);
    expect(selections.filter((selected) => selected.some(isRouter))).toHaveLength(1);
    await rig.stop();
  });

  it('keeps what it has during the canary of the first, and follows when the canary is over', async () => {
    const rig = await twoRouters();
    rig.source.decide(KEY, planWith('large', 1), 2);
    const fractions = new Set<number>();
    await rig.until(async () => {
      const first = (await rig.find(ROUTER)) as Deployment;
      const second = (await rig.find(SECOND.router)) as Deployment;
      fractions.add(shareOf(first.spec.template));
      expect(shareOf(second.spec.template)).toBe(0);
      if (shareOf(first.spec.template) > 0) {
        expect(await rig.find(SECOND.large)).toBeUndefined();
        expect(await rig.ready(SECOND.small)).toBe(1);
      }
      expect(await entryCount(rig)).toBeGreaterThanOrEqual(1);
      return (await rig.find(SMALL)) === undefined && (await rig.find(SECOND.small)) === undefined;
    }, 400_000);
    expect([...fractions].sort()).toEqual([0, 0.1, 0.5]);
    await rig.until(isSettled(rig));
    expect(await namesOf(rig)).toEqual([
      ROUTER,
      'shelf--classify--only',
      'shelf--classify--only--router-1',
      LARGE,
      SECOND.large,
      SECOND.router,
    ]);
    expect(rig.failures).toEqual([]);
    await rig.stop();
  });

  it('grows at once, by pods of its own, although those of the first do not fit; no router restarts', async () => {
    const rig = await twoRouters();
    const templates = () =>
      Promise.all([ROUTER, SECOND.router].map(async (name) => (await rig.find(name))?.spec.template));
    const before = await templates();
    await unfitPods(rig, (pod) => routerOf(pod) === 0);
    rig.source.decide(KEY, planWith('small', 3), 2);
    await rig.until(async () => (await rig.ready(SECOND.small)) === 3);
    expect(await addressesOf(rig, SMALL)).toHaveLength(1);
    await rig.until(async () => (await rig.condition('Ready'))?.message.includes(`${SMALL}: 1 of 3 ready`) ?? false);
    rig.cluster.readyAfterMs = () => 500;
    await rig.until(isSettled(rig));
    const used = [await addressesOf(rig, SMALL), await addressesOf(rig, SECOND.small)];
    expect(used.map(({ length }) => length)).toEqual([3, 3]);
    expect(new Set(used.flat()).size).toBe(6);
    expect(await templates()).toEqual(before);
    expect(rig.failures).toEqual([]);
    await rig.stop();
  });

  it('gets a new variant although another stage of the first cannot grow', async () => {
    const rig = await twoRouters();
    await unfitPods(rig, (pod) => routerOf(pod) === 0 && pod.metadata.name.includes('classify'));
    const plan = planWith('large', 1);
    const only = plan.stages[stageId('classify')] ?? [];
    const stages = { ...plan.stages, classify: only.map((each) => ({ ...each, replicas: 2 })) };
    rig.source.decide(KEY, { ...plan, stages }, 2);
    await rig.until(async () => (await rig.find(SECOND.small)) === undefined, 400_000);
    expect([await rig.ready(LARGE), await rig.ready(SECOND.large)]).toEqual([1, 1]);
    expect([await rig.ready('shelf--classify--only'), await rig.ready('shelf--classify--only--router-1')]).toEqual([
      1, 2,
    ]);
    await rig.stop();
  });

  it('never gets a variant that fails at the first', async () => {
    const rig = await twoRouters();
    rig.source.decide(KEY, planWith('large', 1), 2);
    await rig.until(async () => (await fraction(rig)()) === 0.1);
    rig.source.situation = () => ({ ...heard, sides: { ...well, after: side(300, 500) } });
    await rig.until(async () => (await rig.find(LARGE)) === undefined);
    await rig.pass(20_000);
    expect(await rig.find(SECOND.large)).toBeUndefined();
    expect([await rig.ready(SMALL), await rig.ready(SECOND.small), await entryCount(rig)]).toEqual([1, 1, 2]);
    expect((await rig.condition('Degraded'))?.reason).toBe('RolledBack');
    await rig.stop();
  });

  it('leaves when the first can serve alone: it drains before its pods go, and nothing remains', async () => {
    const rig = await twoRouters();
    rig.cluster.stopMs = 5_000;
    rig.source.decide(KEY, planWith('small', 2));
    let hasLeft = false;
    await rig.until(async () => {
      expect(await entryCount(rig)).toBeGreaterThanOrEqual(1);
      const everyPod = await rig.all<ObservedPod>(pods as never);
      const routers = everyPod.filter((pod) => isRouter(pod) && routerOf(pod) === 1);
      const stages = everyPod.filter((pod) => isStage(pod) && routerOf(pod) === 1 && isReady(pod));
      if (routers.length > 0) expect(stages).toHaveLength(2);
      if ((await rig.find(SECOND.router)) === undefined && !hasLeft) {
        hasLeft = true;
        expect(await rig.ready(SMALL)).toBe(2);
      }
      return everyPod.every((pod) => routerOf(pod) === 0);
    });
    await rig.until(isSettled(rig));
    expect(await namesOf(rig)).toEqual([ROUTER, 'shelf--classify--only', SMALL]);
    for (const type of Object.values(childTypes))
      expect((await rig.all(type)).filter((each) => routerOf(each) > 0)).toEqual([]);
    const [entry] = (await rig.all<Service>(childTypes['Service'] as never)).filter(
      ({ metadata }) => metadata.name === ROUTER,
    );
    expect(entry?.spec.selector).toEqual({ 'equipoise.dev/pipeline': 'shelf', 'equipoise.dev/part': 'router' });
    expect((await rig.status())?.plan?.routers).toBeUndefined();
    await rig.stop();
  });
});

describe('bounds of replicas with two routers', () => {
  const plannedWith = (min: number, max: number) => {
    const pipeline = shelf({ routers: 2 });
    const { stages, ...spec } = pipeline.spec as { readonly stages: readonly object[] };
    const [detect, ...others] = stages;
    const bounded = { ...detect, bounds: { replicas: { min, max } } };
    return wantedBy({ ...pipeline, spec: { ...spec, stages: [bounded, ...others] } }, planWith('small', 1));
  };

  it.each([
    [1, 1],
    [3, 3],
  ])('are not accepted without a multiple of two: %i to %i', async (min, max) => {
    expect(await plannedWith(min, max)).toEqual({
      kind: 'invalid',
      message: `spec.stages[0].bounds.replicas: 2 routers need a multiple of 2 replicas of detect, found none from ${min} to ${max}; change the bounds, or the number of routers`,
    });
  });

  it.each([
    [1, 2],
    [2, 3],
    [3, 4],
  ])('are accepted with one: %i to %i', async (min, max) => {
    expect(await plannedWith(min, max)).toMatchObject({ kind: 'planned' });
  });
});
