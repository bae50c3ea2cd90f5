import { describe, expect, it } from 'vitest';
import { written } from '../api/conformance/subject.test-support.js';
import { type KubeObject, refTo } from '../api/kube-object.js';
import {
  deployments,
  isCanaryRouter,
  isRouter,
  type ObservedPod,
  pipelines,
  pods,
} from '../cluster/observed-objects.js';
import { podAutoscalers } from '../observe/autoscalers.js';
import { shareOf } from '../reconcile/canary-router.js';
import {
  begun,
  fraction,
  heard,
  KEY,
  LARGE,
  NEXT,
  namespace,
  ROUTER,
  SMALL,
  side,
  start,
  well,
} from '../test-cluster/memory/canary-rig.test-support.js';
import { planWith, shelf } from '../test-cluster/memory/pipeline-fixture.test-support.js';
import { events, type PipelineEvent } from './events.js';

describe('a new variant that fails', () => {
  const bad = { before: side(0, 450), after: side(30, 50), passedOn: 50, observedMs: 5_000 };

  it.each([0.1, 0.5])(
    'gives all requests back at a share of %s, goes, and is left alone for a while',
    async (share) => {
      const rig = await start();
      const { source, find, ready, entry, all, condition } = rig;
      const seen = fraction(rig);
      source.situation = () => ({ ...heard, sides: well });
      source.decide(KEY, planWith('large', 3));
      await rig.until(async () => (await seen()) === share);
      source.situation = () => ({ ...heard, sides: bad });
      await rig.until(async () => (await condition('Degraded'))?.reason === 'RolledBack');
      const record = (await rig.status())?.rollback;
      expect(record).toMatchObject({ workloads: [LARGE], fraction: share, failures: 1 });
      expect(record?.message).toBe(
        `${LARGE} was rolled back at ${100 * share} % of the requests: 30 of its 50 requests missed the SLO, 0 of 450 requests of the old variant.`,
      );
      source.situation = () => ({ ...heard, sides: well });
      while ((await find(LARGE)) !== undefined) {
        await rig.clock.advanceTo(rig.clock.nextAlarmAtMs);
        // The variant stays until all its senders are gone, and the serving plan is always complete.
        const sends =
          (await all<ObservedPod>(pods)).some(isCanaryRouter) || (await entry()).some((pod) => shareOf(pod) > 0);
        if (sends) expect(await ready(LARGE)).toBe(3);
        expect([await ready(SMALL), (await ready(ROUTER)) >= 1]).toEqual([2, true]);
      }
      expect(await find(NEXT)).toBeUndefined();
      expect((await entry()).map(shareOf)).toEqual([0]);
      expect(await condition('Degraded')).toMatchObject({ status: 'True', reason: 'RolledBack' });
      const reasons = (await all(events)).map((event) => (event as PipelineEvent).reason);
      expect(reasons).toContain('RolledBack');

      // The plan is still wanted: it is retried after the back-off, and a second failure counts.
      await rig.pass(20_000);
      expect([await find(LARGE), await find(NEXT)]).toEqual([undefined, undefined]);
      source.situation = () => ({ ...heard, sides: bad });
      await rig.until(async () => (await rig.status())?.rollback?.failures === 2, 90_000);
      const { at = '', until = '' } = (await rig.status())?.rollback ?? {};
      expect(Date.parse(until) - Date.parse(at)).toBe(120_000);
      await rig.stop();
    },
  );

  it('goes when its replicas are lost in the middle', async () => {
    const rig = await start();
    rig.source.decide(KEY, planWith('large', 3));
    await rig.until(async () => (await fraction(rig)()) === 0.1);
    rig.source.situation = () => ({ ...heard, sides: begun });
    await rig.pass(3_000);
    rig.cluster.waitingFor = ({ metadata }) => (metadata.name.startsWith(LARGE) ? 'CrashLoopBackOff' : undefined);
    const lost = (await rig.all<ObservedPod>(pods)).find(({ metadata }) => metadata.name.startsWith(LARGE));
    if (lost !== undefined) await rig.admin.delete(refTo(pods, lost));
    await rig.until(async () => (await rig.status())?.rollback !== undefined, 10_000);
    expect((await rig.status())?.rollback?.message).toMatch(/large has [0-2] of 3 replicas ready/);
    await rig.until(async () => (await rig.find(LARGE)) === undefined, 20_000);
    expect([await rig.ready(SMALL), await rig.ready(ROUTER)]).toEqual([2, 1]);
    await rig.stop();
  });

  it('goes when its router does not end the requests that are passed on to it', async () => {
    const rig = await start();
    rig.source.situation = () => ({
      ...heard,
      sides: { before: side(0, 1000), after: side(0, 0), passedOn: 100, observedMs: 15_000 },
    });
    rig.source.decide(KEY, planWith('large', 3));
    await rig.until(async () => (await rig.status())?.rollback !== undefined, 60_000);
    expect((await rig.status())?.rollback?.message).toMatch(/it ended 0 of the 100 requests that were passed on to it/);
    await rig.stop();
  });

  it.each([
    [
      'the router that serves',
      (pod: KubeObject) => isRouter(pod) && shareOf(pod) > 0,
      /does not start with that share/,
    ],
    ['its own router', isCanaryRouter, /before it got a request: has timed out/],
  ])('goes when %s does not start', async (_, isAffected, why) => {
    const rig = await start();
    rig.cluster.stuckAfterMs = 20_000;
    rig.cluster.readyAfterMs = (pod) => (isAffected(pod) ? Number.POSITIVE_INFINITY : 500);
    rig.source.decide(KEY, planWith('large', 3));
    await rig.until(async () => (await rig.status())?.rollback !== undefined);
    expect((await rig.status())?.rollback?.message).toMatch(why);
    await rig.until(async () => (await rig.find(LARGE)) === undefined);
    expect([await rig.ready(SMALL), await rig.ready(ROUTER), (await rig.entry()).map(shareOf)]).toEqual([2, 1, [0]]);
    await rig.stop();
  });

  it('goes when the routers fall silent, but not at once', async () => {
    const rig = await start();
    rig.source.decide(KEY, planWith('large', 3));
    await rig.until(async () => (await fraction(rig)()) === 0.1);
    const silentSinceMs = rig.clock.nowMs();
    rig.source.situation = () => ({ staleMs: rig.clock.nowMs() - silentSinceMs });
    await rig.pass(30_000);
    expect((await rig.status())?.rollback).toBeUndefined();
    await rig.until(async () => (await rig.status())?.rollback !== undefined, 60_000);
    expect((await rig.status())?.rollback?.message).toMatch(/the signals of the routers are stale/);
    await rig.stop();
  });

  it('goes when its router is lost in the middle and does not come back', async () => {
    const rig = await start();
    rig.source.situation = () => ({ ...heard, sides: begun });
    rig.source.decide(KEY, planWith('large', 3));
    await rig.until(async () => (await fraction(rig)()) === 0.1);
    await rig.pass(3_000);
    rig.cluster.readyAfterMs = (pod) => (isCanaryRouter(pod) ? Number.POSITIVE_INFINITY : 500);
    const lost = (await rig.all<ObservedPod>(pods)).find(isCanaryRouter);
    if (lost !== undefined) await rig.admin.delete(refTo(pods, lost));
    await rig.until(async () => (await rig.ready(NEXT)) === 0);
    // Without traffic there is no outcome, and traffic may return.
    const idle = { before: side(0, 0), after: side(0, 0), passedOn: 0, observedMs: 59_000 };
    rig.source.situation = () => ({ ...heard, sides: idle });
    await rig.pass(5_000);
    expect([await fraction(rig)(), (await rig.status())?.rollback]).toEqual([0.1, undefined]);
    rig.source.situation = () => ({ ...heard, sides: { ...idle, observedMs: 60_000 } });
    await rig.until(async () => (await rig.status())?.rollback !== undefined, 5_000);
    expect((await rig.status())?.rollback?.message).toMatch(/its router is not ready/);
    await rig.until(async () => (await rig.entry()).every((pod) => shareOf(pod) === 0), 10_000);
    await rig.stop();
  });

  it('goes while the plan grows, however long that takes', async () => {
    const rig = await start();
    rig.source.situation = () => ({ ...heard, sides: begun });
    rig.source.decide(KEY, planWith('large', 3));
    await rig.until(async () => (await fraction(rig)()) === 0.1);
    await rig.pass(3_000);
    const known = new Set((await rig.all<ObservedPod>(pods)).map(({ metadata }) => metadata.name));
    rig.cluster.readyAfterMs = ({ metadata: { name } }) =>
      name.startsWith(LARGE) && !known.has(name) ? Number.POSITIVE_INFINITY : 500;
    rig.source.decide(KEY, planWith('large', 4));
    await rig.pass(5_000);
    expect(await fraction(rig)()).toBe(0.1);
    rig.source.situation = () => ({ ...heard, sides: bad });
    await rig.until(async () => (await rig.status())?.rollback !== undefined, 5_000);
    await rig.until(async () => (await rig.entry()).every((pod) => shareOf(pod) === 0), 10_000);
    await rig.stop();
  });

  it('does not go because somebody else wants fewer replicas of it', async () => {
    const rig = await start();
    rig.source.situation = () => ({ ...heard, sides: begun });
    rig.source.decide(KEY, planWith('large', 3));
    await rig.until(async () => (await fraction(rig)()) === 0.1);
    const scaler = {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'hpa', namespace },
    };
    const target = { kind: 'Deployment', name: LARGE };
    await rig.admin.create(
      podAutoscalers,
      { ...scaler, spec: { scaleTargetRef: target } },
      { fieldManager: 'kubectl' },
    );
    await rig.admin.scale({ type: deployments, namespace, name: LARGE }, 2, { fieldManager: 'hpa' });
    await rig.pass(5_000);
    expect([await rig.ready(LARGE), await fraction(rig)()]).toEqual([2, 0.1]);
    expect((await rig.status())?.rollback).toBeUndefined();
    rig.source.situation = () => ({ ...heard, sides: well });
    await rig.until(async () => (await rig.find(SMALL)) === undefined);
    await rig.stop();
  });

  it('gives all requests back when there is no plan any more, and nobody forgets a share that stays', async () => {
    const rig = await start();
    rig.source.situation = () => ({ ...heard, sides: begun });
    rig.source.decide(KEY, planWith('large', 3));
    await rig.until(async () => (await fraction(rig)()) === 0.1);
    const become = async (change: object) => {
      const spec = { ...(shelf().spec as object), ...change };
      const changed = { ...shelf(), metadata: { name: 'shelf', namespace }, spec };
      written(await rig.admin.apply(pipelines, changed, { fieldManager: 'kubectl', force: true }));
      await rig.pass(3_000);
    };
    await become({ control: { mode: 'advise' } });
    expect(await rig.status()).toMatchObject({ shift: { workloads: [LARGE], fraction: 0.1 } });
    expect((await rig.entry()).map(shareOf)).toEqual([0.1]);
    rig.source.answer = { kind: 'unplanned', reason: 'Infeasible', message: 'Nothing is quick enough.' };
    await become({ control: { mode: 'auto' }, slo: { latencyMs: 1, percentile: 99 } });
    expect((await rig.entry()).map(shareOf)).toEqual([0]);
    expect([await fraction(rig)(), await rig.ready(SMALL)]).toEqual([undefined, 2]);
    await rig.stop();
  });

  it('is tried again at once when the spec changes', async () => {
    const rig = await start();
    rig.source.situation = () => ({ ...heard, sides: bad });
    rig.source.decide(KEY, planWith('large', 3));
    await rig.until(async () => (await rig.status())?.rollback !== undefined);
    await rig.until(async () => (await rig.find(LARGE)) === undefined);
    rig.source.situation = () => ({ ...heard, sides: well });
    const spec = { ...(shelf().spec as object), slo: { latencyMs: 350, percentile: 99 } };
    const changed = { ...shelf(), metadata: { name: 'shelf', namespace }, spec };
    written(await rig.admin.apply(pipelines, changed, { fieldManager: 'kubectl', force: true }));
    await rig.until(async () => (await rig.find(LARGE)) !== undefined, 5_000);
    await rig.stop();
  });
});
