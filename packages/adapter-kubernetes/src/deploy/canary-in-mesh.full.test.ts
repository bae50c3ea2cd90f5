import { describe, expect, it } from 'vitest';
import { written } from '../api/conformance/subject.test-support.js';
import type { KubeObject } from '../api/kube-object.js';
import { childTypes, deployments, isCanaryRouter, meshTypes, pipelines } from '../cluster/observed-objects.js';
import { MEANS } from '../observe/mesh.js';
import { shareOf } from '../reconcile/canary-router.js';
import type { Deployment } from '../render/manifest-types.js';
import type { HttpRoute, VirtualService } from '../render/mesh-types.js';
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
import { planWith } from '../test-cluster/memory/pipeline-fixture.test-support.js';

type Rig = Awaited<ReturnType<typeof start>>;

const GATEWAY_API = ['HTTPRoute'];
const ISTIO = ['VirtualService', 'DestinationRule'];
const ofMesh = (rig: Rig, kind: string) => rig.all<KubeObject>(meshTypes[kind] as never);

/** Weights of the route: of the serving router, and of the canary router. */
async function weightsOf(rig: Rig, kind: string): Promise<readonly number[] | undefined> {
  const [route] = await ofMesh(rig, kind);
  if (route === undefined) return undefined;
  if (kind === 'HTTPRoute') return (route as HttpRoute).spec.rules[0]?.backendRefs.map(({ weight }) => weight);
  return (route as VirtualService).spec.http[0]?.route.map(({ weight }) => weight);
}

/** The objects that a route refers to are written in an earlier pass, and removed in a later one. */
function expectOrder({ api: { calls } }: Rig, kind: string): void {
  const plural = meshTypes[kind]?.plural;
  const removal = calls.lastIndexOf(`delete ${plural}`);
  const removed = calls.slice(removal + 1);
  const inItsPass = calls.slice(calls.lastIndexOf(`list ${plural}`, removal), removal);
  expect(inItsPass).not.toContain('delete deployments');
  expect(removed.indexOf(`list ${plural}`)).toBeGreaterThanOrEqual(0);
  expect(removed.indexOf(`list ${plural}`)).toBeLessThan(removed.indexOf('delete deployments'));
  if (kind !== 'VirtualService') return;
  const before = calls.slice(0, calls.indexOf(`create ${plural}`));
  expect(before.lastIndexOf('list destinationrules')).toBeGreaterThan(before.lastIndexOf('create destinationrules'));
  expect(removed.indexOf(`list ${plural}`)).toBeLessThan(removed.indexOf('delete destinationrules'));
}

describe.each([
  ['HTTPRoute', GATEWAY_API],
  ['HTTPRoute', [...ISTIO, ...GATEWAY_API]],
  ['VirtualService', ISTIO],
])('a canary by the weights of a %s, where a mesh serves %j', (kind, mesh) => {
  it('gets its requests in steps, without a restart of the router, and leaves nothing behind', async () => {
    const rig = await start({ mesh });
    const { source, find, ready, entry, all } = rig;
    source.decide(KEY, planWith('large', 3));
    const seen: string[] = [];
    let beganMs = 0;
    source.situation = () => ({ ...heard, sides: { ...well, observedMs: rig.clock.nowMs() - beganMs } });
    const before = (await entry()).map(({ metadata }) => metadata.name);
    await rig.until(async () => {
      const weights = await weightsOf(rig, kind);
      if (seen.at(-1) !== String(weights)) {
        seen.push(String(weights));
        beganMs = rig.clock.nowMs();
      }
      if (weights !== undefined) {
        // A route leads only to what exists and serves.
        expect([await ready(NEXT), await ready(LARGE), await ready(SMALL)]).toEqual([1, 3, 2]);
        if (kind === 'VirtualService') expect(await ofMesh(rig, 'DestinationRule')).toHaveLength(2);
      }
      const router = (await find(ROUTER)) as Deployment;
      expect(shareOf(router.spec.template)).toBe(0);
      if (seen.length < 4 && weights !== undefined && (await rig.status())?.shift !== undefined)
        expect((await entry()).map(({ metadata }) => metadata.name)).toEqual(before);
      return (await find(SMALL)) === undefined;
    }, 150_000);
    expect(seen).toEqual(['undefined', '90,10', '50,50', 'undefined']);
    await rig.pass(5_000);
    for (const each of mesh) expect(await ofMesh(rig, each)).toEqual([]);
    for (const type of Object.values(childTypes)) expect((await all(type)).filter(isCanaryRouter)).toEqual([]);
    expect(await rig.condition('Ready')).toMatchObject({ status: 'True' });
    expectOrder(rig, kind);
    expect(rig.failures).toEqual([]);
    await rig.stop();
  });

  it('is rolled back: first its weight, then its route, then its router', async () => {
    const rig = await start({ mesh });
    rig.source.decide(KEY, planWith('large', 3));
    rig.source.situation = () => ({ ...heard, sides: begun });
    await rig.until(async () => (await fraction(rig)()) === 0.1);
    rig.source.situation = () => ({ ...heard, sides: { ...well, after: side(60, 80) } });
    const seen: string[] = [];
    await rig.until(async () => {
      const weights = String(await weightsOf(rig, kind));
      if (seen.at(-1) !== weights) seen.push(weights);
      if (weights !== 'undefined') expect(await rig.find(NEXT)).toBeDefined();
      return (await rig.find(LARGE)) === undefined;
    });
    expect(seen).toEqual(['90,10', '100,0', 'undefined']);
    expect(await rig.find(NEXT)).toBeUndefined();
    for (const each of mesh) expect(await ofMesh(rig, each)).toEqual([]);
    expect(await rig.condition('Degraded')).toMatchObject({ status: 'True', reason: 'RolledBack' });
    expect(rig.failures).toEqual([]);
    await rig.stop();
  });

  it('gets its requests from the serving router, if the mesh does not share them', async () => {
    const rig = await start({ mesh });
    rig.source.decide(KEY, planWith('large', 3));
    rig.source.situation = () => ({ ...heard, sides: { ...begun, before: side(0, 500), after: side(0, 0) } });
    const share = async () => shareOf(((await rig.find(ROUTER)) as Deployment).spec.template);
    await rig.until(async () => (await share()) === 0.1);
    expect(await weightsOf(rig, kind)).toEqual([100, 0]);
    expect((await rig.find(NEXT))?.metadata.annotations).toMatchObject({ [MEANS]: 'router' });
    rig.source.situation = () => ({ ...heard, sides: well });
    await rig.until(async () => (await rig.find(SMALL)) === undefined, 150_000);
    await rig.pass(5_000);
    for (const each of mesh) expect(await ofMesh(rig, each)).toEqual([]);
    expect(rig.failures).toEqual([]);
    await rig.stop();
  });
});

describe('the means of a canary', () => {
  it('is the router in a mesh whose resources the cluster does not serve', async () => {
    const rig = await start({ mesh: ['DestinationRule'] });
    rig.source.decide(KEY, planWith('large', 3));
    await rig.until(async () => shareOf(((await rig.find(ROUTER)) as Deployment).spec.template) === 0.1);
    expect((await rig.find(NEXT))?.metadata.annotations).toMatchObject({ [MEANS]: 'router' });
    await rig.stop();
  });

  it('asks for nothing outside a mesh', async () => {
    const rig = await start();
    rig.source.decide(KEY, planWith('large', 3));
    await rig.until(async () => (await fraction(rig)()) === 0.1);
    expect(rig.api.calls.filter((call) => /httproutes|virtualservices|destinationrules/.test(call))).toEqual([]);
    await rig.stop();
  });

  it.each([
    ['router', [...ISTIO, ...GATEWAY_API], undefined],
    ['virtual-service', [...ISTIO, ...GATEWAY_API], 'VirtualService'],
    ['virtual-service', GATEWAY_API, 'HTTPRoute'],
  ])('is %s as the pipeline says, where a mesh serves %j', async (means, mesh, kind) => {
    const rig = await start({ mesh, annotations: { [MEANS]: means } });
    rig.source.decide(KEY, planWith('large', 3));
    await rig.until(async () => (await fraction(rig)()) === 0.1);
    const there = await Promise.all(
      ['HTTPRoute', 'VirtualService'].map(async (each) => (mesh.includes(each) ? ofMesh(rig, each) : [])),
    );
    expect(there.flat().map((route) => route.kind)).toEqual(kind === undefined ? [] : [kind]);
    await rig.stop();
  });

  it('does not change during a canary', async () => {
    const rig = await start({ mesh: [...ISTIO, ...GATEWAY_API], annotations: { [MEANS]: 'virtual-service' } });
    rig.source.decide(KEY, planWith('large', 3));
    rig.source.situation = () => ({ ...heard, sides: begun });
    await rig.until(async () => (await fraction(rig)()) === 0.1);
    const found = await rig.admin.get({ type: pipelines, namespace, name: 'shelf' });
    const { apiVersion, kind, metadata } = found as KubeObject;
    const { name, uid } = metadata;
    const change = { apiVersion, kind, metadata: { name, namespace, uid, annotations: { [MEANS]: 'http-route' } } };
    written(
      await rig.admin.apply(pipelines, { ...change, spec: found?.spec } as never, { fieldManager: 'k', force: true }),
    );
    await rig.pass(5_000);
    expect(await ofMesh(rig, 'HTTPRoute')).toEqual([]);
    expect(await weightsOf(rig, 'VirtualService')).toEqual([90, 10]);
    expect((await rig.all(deployments)).filter(isCanaryRouter)).toHaveLength(1);
    await rig.stop();
  });
});

it('a second router comes after the route of a canary, which leads to the first alone', async () => {
  const second = 'shelf--router-1';
  const rig = await start({ mesh: ISTIO });
  rig.source.situation = () => ({ ...heard, sides: begun });
  rig.source.decide(KEY, planWith('large', 2));
  await rig.until(async () => (await fraction(rig)()) === 0.1);
  expect(await ofMesh(rig, 'VirtualService')).toHaveLength(1);
  rig.source.situation = () => ({ ...heard, sides: well });
  rig.source.decide(KEY, planWith('large', 1), 2);
  await rig.until(async () => {
    if ((await rig.find(second)) !== undefined) expect(await ofMesh(rig, 'VirtualService')).toEqual([]);
    return (await rig.ready(second)) === 1 && (await rig.condition('Ready'))?.status === 'True';
  }, 240_000);
  expect(await ofMesh(rig, 'DestinationRule')).toEqual([]);
  expect(rig.failures).toEqual([]);
  await rig.stop();
});
