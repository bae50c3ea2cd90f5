import { describe, expect, it } from 'vitest';
import { MemoryKubeApi } from '../api/memory/memory-kube-api.test-support.js';
import { childTypes, deployments, isCanaryRouter, type ObservedPod, pods } from '../cluster/observed-objects.js';
import type { PipelineSignals } from '../plan/planning.js';
import { shareOf } from '../reconcile/canary-router.js';
import type { Deployment, NetworkPolicy, Service } from '../render/manifest-types.js';
import { LEAVE_S } from '../render/pod-template.js';
import {
  begun,
  fraction,
  heard,
  KEY,
  LARGE,
  NEXT,
  ROUTER,
  SMALL,
  side,
  start,
  well,
} from '../test-cluster/memory/canary-rig.test-support.js';
import { planWith } from '../test-cluster/memory/pipeline-fixture.test-support.js';
import { events, type PipelineEvent } from './events.js';

describe('the requests', () => {
  it('come to a new variant in steps, each of which lasts, and then the old one goes', async () => {
    const rig = await start();
    const { pass, source, find, ready, entry, all, condition } = rig;
    source.decide(KEY, planWith('large', 3));
    const shares: number[] = [];
    let [beganMs, seenAtMs] = [0, rig.clock.nowMs()];
    source.situation = () => ({ ...heard, sides: { ...well, observedMs: rig.clock.nowMs() - beganMs } });
    const texts = new Set<string | undefined>();
    const lengthsMs = new Map<number, number>();
    await rig.until(async () => {
      const sharing = (await entry()).some((pod) => shareOf(pod) > 0);
      const given = shareOf(((await find(ROUTER)) as Deployment).spec.template);
      const last = shares.at(-1) ?? given;
      lengthsMs.set(last, (lengthsMs.get(last) ?? 0) + rig.clock.nowMs() - seenAtMs);
      seenAtMs = rig.clock.nowMs();
      if (shares.at(-1) !== given) {
        shares.push(given);
        beganMs = rig.clock.nowMs();
      }
      // The router forwards a share only to a ready canary router, and may serve that share itself.
      if (sharing) expect([await ready(NEXT), await ready(LARGE), await ready(SMALL)]).toEqual([1, 3, 2]);
      expect(await ready(ROUTER)).toBeGreaterThanOrEqual(1);
      texts.add((await condition('Ready'))?.message);
      return (await find(SMALL)) === undefined;
    }, 150_000);
    expect(shares).toEqual([0, 0.1, 0.5, 0]);
    expect(lengthsMs.get(0.1)).toBeGreaterThanOrEqual(8_000);
    expect(lengthsMs.get(0.5)).toBeGreaterThanOrEqual(20_000);
    expect([...texts]).toEqual(
      expect.arrayContaining([
        `0 % of the requests go to ${LARGE}.`,
        `10 % of the requests go to ${LARGE}.`,
        `50 % of the requests go to ${LARGE}.`,
      ]),
    );
    await pass(3_000);
    expect(await condition('Ready')).toMatchObject({ status: 'True' });
    expect((await rig.status())?.shift).toBeUndefined();
    expect((await all(deployments)).map(({ metadata }) => metadata.name).sort()).toEqual([
      ROUTER,
      'shelf--classify--only',
      LARGE,
    ]);
    for (const type of Object.values(childTypes)) expect((await all(type)).filter(isCanaryRouter)).toEqual([]);
    const router = (await find(ROUTER)) as Deployment | undefined;
    expect(router?.spec.template.spec.containers[0]?.args?.join(' ')).not.toContain('--share');
    expect(rig.failures).toEqual([]);
    await rig.stop();
  });

  it('find their way: the router that serves may send to the one that is tried, and that one to the stages', async () => {
    const rig = await start();
    rig.source.decide(KEY, planWith('large', 3));
    await rig.until(async () => (await fraction(rig)()) === 0.1);
    const policies = await rig.all<NetworkPolicy>(childTypes['NetworkPolicy'] as never);
    const policy = (name: string) => JSON.stringify(policies.find(({ metadata }) => metadata.name === name)?.spec);
    const tried = '"equipoise.dev/part":"next"';
    expect(policy(ROUTER)).toContain(tried);
    // There is only one such rule, despite many passes.
    expect(policy(ROUTER).split(tried)).toHaveLength(2);
    const ways = policies.find(({ metadata }) => metadata.name === ROUTER)?.spec.egress ?? [];
    expect(new Set(ways.map((way) => JSON.stringify(way))).size).toBe(ways.length);
    expect(policy(LARGE)).toContain(tried);
    expect(policy('shelf--classify--only')).toContain(tried);
    expect(policy(NEXT)).toContain('"large"');
    const services = await rig.all<Service>(childTypes['Service'] as never);
    const selectorOf = (name: string) => services.find(({ metadata }) => metadata.name === name)?.spec.selector;
    expect(selectorOf(ROUTER)).toMatchObject({ 'equipoise.dev/part': 'router' });
    expect(selectorOf(NEXT)).toMatchObject({ 'equipoise.dev/part': 'next' });
    const serving = (await rig.find(ROUTER)) as Deployment | undefined;
    const args = serving?.spec.template.spec.containers[0]?.args?.join(' ');
    expect(args).toMatch(/--share-with http:\/\/shelf--next:8080 --share 0\.1$/);
    const next = (await rig.find(NEXT)) as Deployment | undefined;
    const items = [{ key: expect.stringMatching(/^pipeline-[0-9a-f]{16}\.yaml$/), path: 'pipeline.yaml' }];
    expect(next?.spec.template.spec.volumes).toContainEqual({ name: 'config', configMap: { name: NEXT, items } });
    // Its removal comes before that of the tried stages, and both before the next attempt.
    const preStops = next?.spec.template.spec.containers.map(({ lifecycle }) => lifecycle?.preStop);
    expect(preStops).toEqual([{ sleep: { seconds: LEAVE_S } }]);
    await rig.stop();
  });

  it.each([
    ['replicas', planWith('small', 3)],
    ['batch sizes', planWith('small', 2, 4)],
  ])('are not moved in steps where only %s change', async (_, plan) => {
    const rig = await start();
    rig.source.decide(KEY, plan);
    await rig.pass(20_000);
    expect(await rig.condition('Ready')).toMatchObject({ status: 'True' });
    expect((await rig.all(events)).map((event) => (event as PipelineEvent).reason)).not.toContain('Shifting');
    await rig.stop();
  });

  it.each([
    ['no router is heard', {}],
    [
      'what serves burns the error budget',
      { observed: { arrivalRps: 50, percentile: 99, sloAttainmentFraction: 0.8 }, sides: well },
    ],
  ])('are moved at once while %s', async (_, situation) => {
    const rig = await start();
    rig.source.situation = () => situation;
    rig.source.decide(KEY, planWith('large', 3));
    await rig.until(async () => (await rig.find(SMALL)) === undefined);
    expect((await rig.all(events)).map((event) => (event as PipelineEvent).reason)).not.toContain('Shifting');
    await rig.stop();
  });

  it.each([{ idempotent: false }, { canary: false }])('are moved at once with %o', async (setting) => {
    const rig = await start(setting);
    rig.source.decide(KEY, planWith('large', 3));
    await rig.until(async () => (await rig.find(SMALL)) === undefined);
    expect((await rig.all(events)).map((event) => (event as PipelineEvent).reason)).not.toContain('Shifting');
    await rig.stop();
  });

  it('all come at once when what serves begins to burn the error budget in the middle', async () => {
    const rig = await start();
    const burning = { before: side(200, 540), after: side(0, 60), passedOn: 60, observedMs: 2_000 };
    rig.source.situation = () => ({ ...heard, sides: burning });
    rig.source.decide(KEY, planWith('large', 3));
    const seen = new Set<number | undefined>();
    await rig.until(async () => {
      seen.add(await fraction(rig)());
      return (await rig.find(SMALL)) === undefined;
    });
    expect([...seen]).toEqual(expect.arrayContaining([0, 0.1]));
    expect([...seen]).not.toContain(0.5);
    await rig.stop();
  });

  it('wait for little traffic no longer than two minutes a step, and say so', async () => {
    const rig = await start();
    const few = { before: side(0, 9), after: side(0, 9), passedOn: 9, observedMs: 119_000 };
    rig.source.situation = () => ({ ...heard, sides: few });
    rig.source.decide(KEY, planWith('large', 3));
    await rig.pass(20_000);
    expect(await fraction(rig)()).toBe(0.1);
    expect((await rig.condition('Ready'))?.message).toMatch(/too few of them for a verdict yet/);
    rig.source.situation = () => ({ ...heard, sides: { ...few, observedMs: 120_000 } });
    await rig.until(async () => (await rig.find(SMALL)) === undefined);
    expect((await rig.status())?.rollback).toBeUndefined();
    await rig.stop();
  });
});

it('a plan with the same workloads goes on with the steps', async () => {
  const rig = await start();
  rig.source.decide(KEY, planWith('large', 3));
  await rig.until(async () => (await fraction(rig)()) === 0.5);
  rig.source.situation = () => ({ ...heard, sides: begun });
  await rig.pass(3_000);
  rig.source.decide(KEY, planWith('large', 4));
  await rig.until(async () => (await rig.ready(LARGE)) === 4);
  await rig.pass(3_000);
  rig.source.situation = () => ({ ...heard, sides: well });
  const seen = new Set<number>();
  await rig.until(async () => {
    for (const pod of await rig.entry()) seen.add(shareOf(pod));
    return (await rig.find(SMALL)) === undefined;
  });
  expect([...seen].toSorted()).toEqual([0, 0.5]);
  expect(await rig.ready(LARGE)).toBe(4);
  await rig.stop();
});

it('a plan that goes back in the middle takes all requests back before anything goes', async () => {
  const rig = await start();
  rig.source.decide(KEY, planWith('large', 3));
  await rig.until(async () => (await fraction(rig)()) === 0.5);
  rig.source.situation = () => ({ ...heard, sides: begun });
  await rig.pass(3_000);
  rig.source.decide(KEY, planWith('small', 2));
  while ((await rig.find(LARGE)) !== undefined) {
    await rig.clock.advanceTo(rig.clock.nextAlarmAtMs);
    if ((await rig.entry()).some((pod) => shareOf(pod) > 0)) expect(await rig.ready(NEXT)).toBe(1);
    if ((await rig.all<ObservedPod>(pods)).some(isCanaryRouter)) expect(await rig.ready(LARGE)).toBe(3);
    expect(await rig.ready(SMALL)).toBe(2);
    if (rig.clock.nowMs() > 300_000) throw new Error('it does not go');
  }
  await rig.pass(3_000);
  expect(await rig.condition('Ready')).toMatchObject({ status: 'True' });
  expect(await rig.find(NEXT)).toBeUndefined();
  expect((await rig.entry()).map(shareOf)).toEqual([0]);
  await rig.stop();
});

it('a plan that goes back in the middle takes all requests back, though it cannot be carried out yet', async () => {
  const rig = await start();
  rig.source.situation = () => ({ ...heard, sides: begun });
  rig.source.decide(KEY, planWith('large', 3));
  await rig.until(async () => (await fraction(rig)()) === 0.1);
  await rig.pass(3_000);
  rig.cluster.readyAfterMs = ({ metadata }) => (metadata.name.startsWith(SMALL) ? Number.POSITIVE_INFINITY : 500);
  rig.source.decide(KEY, planWith('small', 4));
  await rig.until(async () => (await rig.entry()).every((pod) => shareOf(pod) === 0), 10_000);
  expect((await rig.status())?.rollback).toBeUndefined();
  await rig.stop();
});

it('another operator goes on where the first was cut off', async () => {
  const rig = await start();
  rig.source.decide(KEY, planWith('large', 3));
  await rig.until(async () => (await fraction(rig)()) === 0.1);
  rig.source.situation = () => ({ ...heard, sides: begun });
  await rig.pass(3_000);
  await rig.stop();
  rig.source.situation = () => ({ ...heard, sides: well });
  const abort = new AbortController();
  const second = rig.operator(new MemoryKubeApi(rig.kube), 2).run(abort.signal);
  const seen: number[] = [];
  await rig.until(async () => {
    const share = (await fraction(rig)()) ?? 0;
    if (seen.at(-1) !== share) seen.push(share);
    return (await rig.find(SMALL)) === undefined;
  });
  expect(seen).toEqual([0.1, 0.5, 0]);
  abort.abort();
  await second;
});

describe('an operator that begins in the middle', () => {
  /** Kills the operator and starts another `afterMs` later, with the router signals of `situation`. */
  async function takeOver(
    rig: Awaited<ReturnType<typeof start>>,
    afterMs: number,
    situation: Partial<PipelineSignals>,
  ) {
    await rig.stop();
    const beganAtMs = rig.clock.nowMs();
    rig.source.situation = () => {
      const silentMs = rig.clock.nowMs() - beganAtMs;
      return silentMs < afterMs ? { staleMs: silentMs } : { ...heard, ...situation };
    };
    const abort = new AbortController();
    const running = rig.operator(new MemoryKubeApi(rig.kube), 2).run(abort.signal);
    return async () => {
      abort.abort();
      await running;
    };
  }

  it('hears the routers before it says that they cannot be heard', async () => {
    const rig = await start();
    rig.source.situation = () => ({ ...heard, sides: begun });
    rig.source.decide(KEY, planWith('large', 3));
    await rig.until(async () => (await fraction(rig)()) === 0.1);
    await rig.pass(62_000);
    const stop = await takeOver(rig, 5_000, { sides: well });
    await rig.pass(4_000);
    expect([await fraction(rig)(), (await rig.status())?.rollback]).toEqual([0.1, undefined]);
    await rig.until(async () => (await fraction(rig)()) === 0.5, 20_000);
    await stop();
  });

  it('takes the steps that the other had not begun', async () => {
    const rig = await start();
    rig.cluster.readyAfterMs = (pod) => (pod.metadata.name.startsWith(LARGE) ? 5_000 : 500);
    rig.source.decide(KEY, planWith('large', 3));
    await rig.pass(2_000);
    const stop = await takeOver(rig, 8_000, { sides: begun });
    await rig.until(async () => (await fraction(rig)()) === 0.1, 20_000);
    expect(await rig.ready(SMALL)).toBe(2);
    await stop();
  });

  it('switches at once when it listened for long enough and heard nobody', async () => {
    const rig = await start();
    rig.cluster.readyAfterMs = (pod) => (pod.metadata.name.startsWith(LARGE) ? 5_000 : 500);
    rig.source.decide(KEY, planWith('large', 3));
    await rig.pass(2_000);
    const stop = await takeOver(rig, Number.POSITIVE_INFINITY, {});
    await rig.until(async () => (await rig.find(SMALL)) === undefined, 30_000);
    expect(rig.clock.nowMs()).toBeGreaterThan(13_000);
    await stop();
  });
});
