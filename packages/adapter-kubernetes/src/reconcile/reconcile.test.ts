import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import type { KubeObject } from '../api/kube-object.js';
import { isRouter, type ObservedDeployment, type ObservedPod } from '../cluster/observed-objects.js';
import { fileOf, withFile, withMountedFile } from '../render/config-files.js';
import type { ConfigMap, Deployment, NetworkPolicy } from '../render/manifest-types.js';
import {
  NOW_EPOCH_MS,
  objectsOf,
  planWith,
  podOf,
  type Standing,
  shelf,
  standing,
  wantedBy,
} from '../test-cluster/memory/pipeline-fixture.test-support.js';
import { FINALIZER, reconcile } from './reconcile.js';
import type { ObservedPipeline, Planning, Reconciliation } from './reconciliation.js';
import { ROUTES_TO } from './routes.js';

const pipeline = shelf();
const held = { finalizers: [FINALIZER], annotations: { 'equipoise.dev/drain': 'true' } };
const [SMALL, LARGE, ONLY, ROUTER] = ['shelf--detect--small', 'shelf--detect--large', 'shelf--classify--only', 'shelf'];

function decide(view: Partial<ObservedPipeline>, planning: Planning): Reconciliation {
  return reconcile({ pipeline, children: [], pods: [], ...view }, planning, { nowEpochMs: NOW_EPOCH_MS });
}

/** Children after `planning` was carried out completely, some of them in other states. */
function settled(planning: Planning, standings: Readonly<Record<string, Standing>> = {}): readonly KubeObject[] {
  const first = decide({}, planning);
  const all = first.apply.map((object) => standing(object, standings[object.metadata.name]));
  return all;
}

const deploymentNames = (objects: readonly KubeObject[]) =>
  objects.filter(({ kind }) => kind === 'Deployment').map(({ metadata }) => metadata.name);

const deployment = (objects: readonly KubeObject[], name: string) =>
  objects.find((object) => object.kind === 'Deployment' && object.metadata.name === name) as Deployment;

const removed = ({ remove }: Reconciliation) => remove.map(({ type, name }) => `${type.kind} ${name}`).sort();

const condition = ({ status }: Reconciliation, type: string) => status.conditions?.find((each) => each.type === type);

const small = () => wantedBy(pipeline, planWith('small', 2));
const large = () => wantedBy(pipeline, planWith('large', 3));

describe('reconcile: a new pipeline', () => {
  it('gets all objects at once, owned by it', async () => {
    const planning = await small();
    const result = decide({ children: [], pods: [] }, planning);
    expect(result.finalizer).toBeUndefined();
    expect(result.apply).toHaveLength(objectsOf(planning).length);
    expect(deploymentNames(result.apply).sort()).toEqual([ROUTER, ONLY, SMALL].sort());
    for (const { metadata } of result.apply) {
      expect(metadata.namespace).toBe('n');
      expect(metadata.ownerReferences).toEqual([expect.objectContaining({ uid: 'uid-shelf', controller: true })]);
    }
    expect(deployment(result.apply, ROUTER).metadata.annotations?.[ROUTES_TO]).toBe([ONLY, SMALL].sort().join(','));
    expect([result.phase, result.remove]).toEqual(['preparing', []]);
    expect(condition(result, 'Ready')).toMatchObject({ status: 'False', reason: 'NothingDeployed' });
  });

  it('is ready when all of its replicas are', async () => {
    const planning = await small();
    const result = decide({ children: settled(planning) }, planning);
    expect([result.phase, result.remove, result.finalizer]).toEqual(['settled', [], undefined]);
    expect(condition(result, 'Ready')).toMatchObject({ status: 'True', observedGeneration: 3 });
    expect(condition(result, 'Degraded')).toMatchObject({ status: 'False', reason: 'AsPlanned' });
    expect(result.status.replicas).toEqual({ desired: 3, ready: 4 - 1 });
    expect(result.status.plan).toEqual(planWith('small', 2));
    expect(result.status.plannedAt).toBe('2026-06-01T11:59:59Z');
  });
});

describe('reconcile: a variant is switched', () => {
  it('first starts the new one beside the old, and leaves the router', async () => {
    const children = settled(await small());
    const result = decide({ children }, await large());
    expect(result.phase).toBe('preparing');
    expect(deploymentNames(result.apply).sort()).toEqual([ONLY, LARGE].sort());
    expect(result.apply.some(isRouter)).toBe(false);
    expect(result.remove).toEqual([]);
    expect(condition(result, 'Ready')).toMatchObject({ status: 'False', reason: 'Preparing' });
  });

  it('switches the router only when every replica of the new one is ready', async () => {
    const planning = await large();
    const old = settled(await small());
    const starting = settled(planning, { [LARGE]: { ready: 2 } }).filter((object) => !isRouter(object));
    const waiting = decide({ children: [...old, ...starting] }, planning);
    expect([waiting.phase, waiting.remove]).toEqual(['preparing', []]);
    expect(condition(waiting, 'Ready')?.message).toContain(`${LARGE}: 2 of 3 ready`);

    const started = settled(planning).filter((object) => !isRouter(object));
    const result = decide({ children: [...old, ...started] }, planning);
    expect([result.phase, result.remove]).toEqual(['switching', []]);
    expect(deployment(result.apply, ROUTER).metadata.annotations?.[ROUTES_TO]).toBe([ONLY, LARGE].sort().join(','));
  });

  it('lets pods of the old router reach the old variant until they are gone', async () => {
    const planning = await large();
    const old = settled(await small());
    const started = settled(planning).filter((object) => !isRouter(object));
    const { apply } = decide({ children: [...old, ...started] }, planning);
    const policy = apply.find((object) => object.kind === 'NetworkPolicy' && isRouter(object)) as NetworkPolicy;
    const reached = JSON.stringify(policy.spec.egress);
    expect(reached).toContain('"small"');
    expect(reached).toContain('"large"');
    const after = decide({ children: settled(planning) }, planning);
    const last = after.apply.find((object) => object.kind === 'NetworkPolicy' && isRouter(object)) as NetworkPolicy;
    expect(JSON.stringify(last.spec.egress)).not.toContain('"small"');
  });

  it('removes the old variant when no pod of the old router is left, not even one that is going', async () => {
    const [before, planning] = [await small(), await large()];
    const old = settled(before);
    const leftover = old.filter(({ metadata }) => metadata.name === SMALL);
    const children = [...settled(planning), ...leftover];
    const oldPod = podOf(deployment(old, ROUTER));
    const newPod = podOf(deployment(children, ROUTER));
    const going = decide({ children, pods: [oldPod, newPod] }, planning);
    expect([going.phase, going.remove]).toEqual(['switching', []]);
    const gone = decide({ children, pods: [newPod] }, planning);
    expect(gone.phase).toBe('settled');
    expect(removed(gone)).toEqual(
      ['ConfigMap', 'Deployment', 'NetworkPolicy', 'PodDisruptionBudget', 'Service'].map((kind) => `${kind} ${SMALL}`),
    );
  });

  it('keeps the old variant while the new plan is on trial, and gives its room to another plan', async () => {
    const [before, planning] = [await small(), await large()];
    const old = settled(before).filter(({ metadata }) => metadata.name === SMALL);
    const children = [...settled(planning), ...old];
    const router = podOf(deployment(children, ROUTER));
    const pods = (ageMs: number) => {
      const creationTimestamp = new Date(NOW_EPOCH_MS - ageMs).toISOString();
      return [{ ...router, metadata: { ...router.metadata, creationTimestamp } }];
    };
    const observed = { arrivalRps: 10, percentile: 99 };
    const trial = decide({ children, pods: pods(30_000), observed }, planning);
    expect([trial.phase, trial.remove, trial.againAfterMs]).toEqual(['settled', [], 30_000]);
    expect(condition(trial, 'Ready')?.status).toBe('True');
    const back = decide({ children, pods: pods(30_000), observed }, before);
    expect([back.phase, back.remove]).toEqual(['switching', []]);
    expect(deploymentNames(back.apply)).toContain(ROUTER);

    const passed = decide({ children, pods: pods(60_000), observed }, planning);
    expect([removed(passed).includes(`Deployment ${SMALL}`), passed.againAfterMs]).toEqual([true, undefined]);
    const unheard = decide({ children, pods: pods(30_000) }, planning);
    expect(removed(unheard)).toContain(`Deployment ${SMALL}`);
    const other = decide({ children, pods: pods(30_000), observed }, await wantedBy(pipeline, planWith('large', 4)));
    expect(removed(other)).toContain(`Deployment ${SMALL}`);
  });

  it('goes back without loss when the plan does: what was not switched to goes at once', async () => {
    const [before, planning] = [await small(), await large()];
    const started = settled(planning, { [LARGE]: { ready: 0 } }).filter(({ metadata }) => metadata.name === LARGE);
    const result = decide({ children: [...settled(before), ...started] }, before);
    expect(result.phase).toBe('settled');
    expect(removed(result)).toContain(`Deployment ${LARGE}`);
    expect(removed(result)).not.toContain(`Deployment ${SMALL}`);
  });

  it('keeps two variants of a stage at most: one that never got ready goes for the next', async () => {
    const three = shelf();
    const [before, planning] = [
      await wantedBy(three, planWith('small', 2)),
      await wantedBy(three, planWith('large', 3)),
    ];
    // Variant of an earlier plan that no router ever used.
    const never = standing(
      {
        ...deployment(settled(before), SMALL),
        metadata: { ...deployment(settled(before), SMALL).metadata, name: 'shelf--detect--third' },
      },
      { ready: 0 },
    );
    const result = decide({ children: [...settled(before), never] }, planning);
    expect(result.phase).toBe('preparing');
    expect(removed(result)).toEqual(['Deployment shelf--detect--third']);
  });
});

describe('reconcile: replicas', () => {
  it('grows only into room that pods without a Deployment have left', async () => {
    const tight = shelf({ budgetCpuCores: 3 });
    const [before, three, planning] = [
      await wantedBy(tight, planWith('small', 1)),
      await wantedBy(tight, planWith('small', 3)),
      await wantedBy(tight, planWith('large', 1)),
    ];
    const gone = deployment(settled(planning), LARGE);
    const { spec } = gone.spec.template;
    const stray = (name: string) => ({ ...podOf(gone), metadata: { ...podOf(gone).metadata, name }, spec }) as never;
    const grown = (pods: readonly never[]) =>
      deployment(decide({ children: settled(before), pods }, three).apply, SMALL).spec.replicas;
    expect([grown([]), grown([stray('a')]), grown([stray('a'), stray('b')])]).toEqual([3, 2, 1]);
  });

  it('does not count the containers that a mesh adds to pods', async () => {
    const tight = shelf({ budgetCpuCores: 2 });
    const [before, planning] = [await wantedBy(tight, planWith('small')), await wantedBy(tight, planWith('large'))];
    const children = settled(before);
    const proxy = { name: 'istio-proxy', resources: { requests: { cpu: '100m' } } };
    const pods = [SMALL, ONLY].map((name) => {
      const workload = deployment(children, name);
      return { ...podOf(workload), spec: { containers: [...workload.spec.template.spec.containers, proxy] } };
    });
    const result = decide({ pipeline: tight, children, pods: pods as never }, planning);
    expect([result.phase, deployment(result.apply, LARGE).spec.replicas]).toEqual(['preparing', 1]);
  });

  it('grows and shrinks at once, and leaves the pod of the router', async () => {
    const [two, four] = [await small(), await wantedBy(pipeline, planWith('small', 4))];
    const children = settled(two);
    const growing = decide({ children }, four);
    expect(growing.phase).toBe('preparing');
    expect(deployment(growing.apply, SMALL).spec.replicas).toBe(4);
    const { template } = deployment(children, ROUTER).spec;
    expect(deployment(growing.apply, ROUTER).spec.template).toEqual(template);
    const shrinking = decide({ children: settled(four) }, two);
    expect(deployment(shrinking.apply, SMALL).spec.replicas).toBe(2);
    expect(deployment(shrinking.apply, ROUTER).spec.template).toEqual(template);
    const wide = settled(two, { [SMALL]: { replicas: 4 } });
    const shrunk = decide({ children: wide }, two);
    expect(deployment(shrunk.apply, SMALL).spec.replicas).toBe(2);
  });

  it('grows one stage only into the room that another has left', async () => {
    const tight = shelf({ budgetCpuCores: 4 });
    const withSmall = (replicas: number) => planWith('small', replicas);
    const [before, after] = [await wantedBy(tight, withSmall(1)), await wantedBy(tight, withSmall(4))];
    const children = settled(before, { [ONLY]: { replicas: 3 } });
    const first = decide({ children }, after);
    // Four of five cores are held: those of the budget and one of the surge.
    expect(deployment(first.apply, ONLY).spec.replicas).toBe(1);
    expect(deployment(first.apply, SMALL).spec.replicas).toBe(2);
    expect(deployment(decide({ children: settled(before) }, after).apply, SMALL).spec.replicas).toBe(4);
  });

  it('stops a surplus replica of a stage whose pods wait for room to be replaced', async () => {
    const tight = shelf({ budgetCpuCores: 2 });
    const planning = await wantedBy(tight, planWith('small', 1, 4));
    const present = settled(await wantedBy(tight, planWith('small', 2)), { [SMALL]: { replicas: 3 } });
    const children = present.map((object) =>
      object.kind === 'Deployment' && object.metadata.name === SMALL
        ? withMountedFile(object as Deployment, 'an older file')
        : object,
    );
    const before = deployment(children, SMALL);
    const result = decide({ children }, planning);
    const after = deployment(result.apply, SMALL);
    expect([after.spec.replicas, after.spec.template]).toEqual([2, before.spec.template]);
    const fewer = { ...before, spec: { ...before.spec, replicas: 2 } };
    const next = children.map((object) => (object === before ? standing(fewer) : object));
    expect(deployment(decide({ children: next }, planning).apply, SMALL).spec.template).not.toEqual(
      before.spec.template,
    );
  });

  it('switches to another variant although a pod of another stage does not fit, and says so', async () => {
    const more = (variant: string, replicas: number) => {
      const plan = planWith(variant, replicas);
      const only = plan.stages['classify' as never] as readonly { readonly replicas: number }[];
      return { ...plan, stages: { ...plan.stages, classify: only.map((each) => ({ ...each, replicas: 3 })) } } as never;
    };
    const planning = await wantedBy(pipeline, more('large', 3));
    const old = settled(await small()).filter(({ metadata }) => metadata.name !== ONLY);
    const part = settled(planning, { [ONLY]: { ready: 1 } }).filter((object) => !isRouter(object));
    const children = [...old, ...part];
    const unfit = podOf(deployment(children, ONLY), {
      conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'no room' }],
    });
    const result = decide({ children, pods: [unfit] }, planning);
    expect(result.phase).toBe('switching');
    expect(condition(result, 'Ready')?.message).toBe(`${ONLY}: 1 of 3 ready; n/${ONLY}-1: no room`);
    const none = settled(planning, { [ONLY]: { ready: 0 } }).filter((object) => !isRouter(object));
    expect(decide({ children: [...old, ...none] }, planning).phase).toBe('preparing');
  });

  const by = (manager: string) => [
    { manager, operation: 'Update', subresource: 'scale', fieldsV1: { 'f:spec': { 'f:replicas': {} } } } as const,
  ];

  it('leaves what somebody else set, and says who', async () => {
    const planning = await small();
    const managedFields = by('kube-controller-manager');
    const result = decide({ children: settled(planning, { [SMALL]: { replicas: 5, managedFields } }) }, planning);
    expect(deployment(result.apply, SMALL).spec).not.toHaveProperty('replicas');
    expect(deployment(result.apply, ONLY).spec.replicas).toBe(1);
    expect(condition(result, 'Degraded')).toMatchObject({ status: 'True', reason: 'ForeignReplicas' });
    expect(condition(result, 'Degraded')?.message).toContain(
      `${SMALL} has 5 replicas by kube-controller-manager, the plan wants 2`,
    );
  });

  it('leaves the replicas of a router alone, too, where an autoscaler sets them', async () => {
    const planning = await small();
    const managedFields = by('kube-controller-manager');
    const children = settled(planning, { [ROUTER]: { replicas: 3, managedFields } });
    const autoscalers = new Map([[ROUTER, 'HorizontalPodAutoscaler hpa']]);
    const result = decide({ children, autoscalers }, planning);
    expect(deployment(result.apply, ROUTER).spec).not.toHaveProperty('replicas');
    expect([result.phase, condition(result, 'Degraded')?.reason]).toEqual(['settled', 'ForeignReplicas']);
    const byHand = decide({ children, autoscalers: new Map() }, planning);
    expect(deployment(byHand.apply, ROUTER).spec.replicas).toBe(1);
  });

  it('leaves the field to an autoscaler that wants the same, so that its next number is no conflict', async () => {
    const planning = await small();
    const children = settled(planning, { [SMALL]: { managedFields: by('kube-controller-manager') } });
    const scaled = decide({ children, autoscalers: new Map([[SMALL, 'HorizontalPodAutoscaler hpa']]) }, planning);
    expect(deployment(scaled.apply, SMALL).spec).not.toHaveProperty('replicas');
    expect([scaled.phase, condition(scaled, 'Degraded')?.status]).toEqual(['settled', 'False']);
    const byHand = decide({ children, autoscalers: new Map() }, planning);
    expect(deployment(byHand.apply, SMALL).spec.replicas).toBe(2);
  });

  it('does not mind others who want the same, or its own former number', async () => {
    const planning = await small();
    const same = decide({ children: settled(planning, { [SMALL]: { managedFields: by('kubectl') } }) }, planning);
    expect(condition(same, 'Degraded')?.status).toBe('False');
    const own = settled(planning, { [SMALL]: { replicas: 5, managedFields: by('equipoise-operator') } });
    expect(condition(decide({ children: own }, planning), 'Degraded')?.status).toBe('False');
  });

  it('switches to a new plan although somebody else holds replicas', async () => {
    const planning = await large();
    const held = settled(planning, { [LARGE]: { replicas: 1, managedFields: by('kubectl') } }).filter(
      (object) => !isRouter(object),
    );
    const result = decide({ children: [...settled(await small()), ...held] }, planning);
    expect(result.phase).toBe('switching');
  });
});

/** Objects whose router is as version 0.1.0 rendered it: with the replicas in its file, and the rate in its arguments. */
function withOldRouter(objects: readonly KubeObject[]): readonly KubeObject[] {
  const config = objects.find((object) => object.kind === 'ConfigMap' && isRouter(object)) as ConfigMap;
  const file = parse(fileOf(config) ?? '') as { spec: { stages: Record<string, object>[] } };
  const counts: Readonly<Record<string, number>> = { detect: 2, classify: 1 };
  const stages = file.spec.stages.map((stage) => {
    const { name, variants, bounds, pins } = stage as never as {
      name: string;
      variants: { server: object }[];
    } & Record<'bounds' | 'pins', object>;
    const replicas = counts[name] ?? 1;
    const plain = variants.map((variant) => ({ ...variant, server: { ...variant.server, replicas: undefined } }));
    return {
      ...stage,
      variants: plain,
      bounds: { ...bounds, replicas: { min: replicas, max: replicas } },
      pins: { ...pins, replicas },
    };
  });
  const text = stringify({ ...file, spec: { ...file.spec, stages } }, { lineWidth: 0 });
  return objects.map((object) => {
    if (object === config) return withFile(config, text);
    if (object.kind !== 'Deployment' || !isRouter(object)) return object;
    const router = withMountedFile(object as Deployment, text);
    const { template } = router.spec;
    const containers = template.spec.containers.map((container) => ({
      ...container,
      args: ['serve', 'pipeline.yaml', '--fixed', '--arrival-rps', '7', ...(container.args ?? []).slice(3)],
    }));
    return {
      ...router,
      spec: { ...router.spec, template: { ...template, spec: { ...template.spec, containers } } },
    } as Deployment;
  });
}

describe('reconcile: a router of version 0.1.0', () => {
  it('does not restart while its replicas are those of the plan, and then gets the new form', async () => {
    const [two, four] = [await small(), await wantedBy(pipeline, planWith('small', 4))];
    const children = withOldRouter(settled(two));
    const before = deployment(children, ROUTER).spec.template;
    const kept = decide({ children }, two);
    expect([kept.phase, deployment(kept.apply, ROUTER).spec.template]).toEqual(['settled', before]);
    const changed = decide({ children }, four);
    expect(changed.phase).toBe('switching');
    expect(deployment(changed.apply, ROUTER).spec.template).toEqual(deployment(objectsOf(two), ROUTER).spec.template);
    expect(deployment(changed.apply, SMALL).spec.replicas).toBe(4);
  });
});

describe('reconcile: troubles', () => {
  it.each([
    ['ImagePullBackOff', 'ImageUnavailable'],
    ['CrashLoopBackOff', 'CrashLoop'],
    ['CreateContainerConfigError', 'ConfigurationMissing'],
    ['ErrImageNeverPull', 'ImageUnavailable'],
    ['RunContainerError', 'ContainerFailed'],
  ])('tells %s as %s', async (reason, expected) => {
    const planning = await small();
    const children = settled(planning, { [SMALL]: { ready: 0 } });
    const waiting = { waiting: { reason, message: 'why' } };
    const pods = [podOf(deployment(children, SMALL), { containerStatuses: [{ name: 'stage', state: waiting }] })];
    const result = decide({ children, pods }, planning);
    expect(condition(result, 'Degraded')).toMatchObject({ status: 'True', reason: expected });
    expect(condition(result, 'Degraded')?.message).toBe(`n/${SMALL}-1, container stage: why`);
    expect(condition(result, 'Ready')?.status).toBe('False');
  });

  it.each([
    ['a minute ago', 60_000, 'OutOfMemory'],
    ['an hour ago', 3_600_000, 'AsPlanned'],
  ])('tells an OOM kill %s', async (_, agoMs, expected) => {
    const planning = await small();
    const children = settled(planning);
    const terminated = { reason: 'OOMKilled', finishedAt: new Date(NOW_EPOCH_MS - agoMs).toISOString() };
    const container = { name: 'stage', state: {}, lastState: { terminated }, restartCount: 2 };
    const pods = [podOf(deployment(children, SMALL), { containerStatuses: [container] })];
    const degraded = condition(decide({ children, pods }, planning), 'Degraded');
    expect(degraded?.reason).toBe(expected);
    if (agoMs < 600_000)
      expect(degraded?.message).toContain(`n/${SMALL}-1, container stage: killed at its memory limit`);
  });

  it.each([
    ['Evicted', 60_000, 'Evicted'],
    ['Evicted', 3_600_000, 'AsPlanned'],
    ['OutOfcpu', 60_000, 'NodeRefused'],
    ['Terminated', 60_000, 'AsPlanned'],
  ])('tells what a node did to a pod: %s, %i ms ago', async (reason, agoMs, expected) => {
    const planning = await small();
    const children = settled(planning);
    const lastTransitionTime = new Date(NOW_EPOCH_MS - agoMs).toISOString();
    const conditions = [{ type: 'Ready', status: 'False', lastTransitionTime }];
    const ended = [
      podOf(deployment(children, SMALL), { phase: 'Failed', reason, message: 'low on memory', conditions }),
    ];
    const degraded = condition(decide({ children, ended }, planning), 'Degraded');
    expect(degraded?.reason).toBe(expected);
    if (expected !== 'AsPlanned') expect(degraded?.message).toBe(`n/${SMALL}-1: ${reason}: low on memory`);
  });

  it('tells an eviction in which the container ended with code 0, after which the pod counts as succeeded', async () => {
    const planning = await small();
    const children = settled(planning);
    const message = 'The node was low on resource: memory.';
    const target = { type: 'DisruptionTarget', status: 'True', reason: 'TerminationByKubelet', message };
    const lastTransitionTime = new Date(NOW_EPOCH_MS - 60_000).toISOString();
    const conditions = [{ ...target, lastTransitionTime }];
    const ended = [podOf(deployment(children, SMALL), { phase: 'Succeeded', conditions })];
    const degraded = condition(decide({ children, ended }, planning), 'Degraded');
    expect(degraded).toMatchObject({ reason: 'Evicted', message: `n/${SMALL}-1: Evicted: ${message}` });
  });

  it('tells the latest of several pods that a node ended, and the latest OOM kill', async () => {
    const planning = await small();
    const children = settled(planning);
    const made = deployment(children, SMALL);
    const pod = (name: string, agoMs: number, status: (time: string) => ObservedPod['status']): ObservedPod => {
      const { metadata, ...rest } = podOf(made, status(new Date(NOW_EPOCH_MS - agoMs).toISOString()));
      return { ...rest, metadata: { ...metadata, name } };
    };
    const killed = (time: string) => ({
      containerStatuses: [{ name: 'stage', lastState: { terminated: { reason: 'OOMKilled', finishedAt: time } } }],
    });
    const evicted = (time: string) => ({
      ...{ phase: 'Failed', reason: 'Evicted', message: 'low on memory' },
      conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: time }],
    });
    const times = { early: 300_000, latest: 60_000, late: 120_000 };
    const all = (status: (time: string) => ObservedPod['status']) =>
      Object.entries(times).map(([name, agoMs]) => pod(name, agoMs, status));
    const degraded = condition(decide({ children, pods: all(killed), ended: all(evicted) }, planning), 'Degraded');
    expect(degraded?.message).toMatch(/^n\/latest, container stage: killed .*; n\/latest: Evicted: low on memory$/);
  });

  it.each([
    ['EvictionByEvictionAPI', 'Eviction API: evicting'],
    ['PreemptionByScheduler', 'preempting to accommodate a higher priority pod'],
  ])('says which pod is replaced for %s, which is no issue', async (reason, message) => {
    const planning = await small();
    const children = settled(planning, { [SMALL]: { ready: 1 } });
    const conditions = [{ type: 'DisruptionTarget', status: 'True', reason, message }];
    const result = decide({ children, pods: [podOf(deployment(children, SMALL), { conditions })] }, planning);
    expect(condition(result, 'Ready')).toMatchObject({
      ...{ status: 'False', reason: 'ReplicasStarting' },
      message: `${SMALL}: 1 of 2 ready; n/${SMALL}-1: ${reason}: ${message}`,
    });
    expect(condition(result, 'Degraded')?.reason).toBe('AsPlanned');
  });

  it('names bad nodes, as the reason only if nothing else happened or they explain it', async () => {
    const planning = await small();
    const notReady = {
      node: 'w1',
      type: 'Ready',
      reason: 'NodeNotReady',
      message: 'node w1: Ready=Unknown',
    } as const;
    const nodeConditions = [notReady];
    const reasonAndText = (view: Partial<ObservedPipeline>) => {
      const { reason, message } = condition(decide({ nodeConditions, ...view }, planning), 'Degraded') ?? {};
      return [reason, message];
    };
    const children = settled(planning);
    expect(reasonAndText({ children })).toEqual(['NodeNotReady', 'node w1: Ready=Unknown']);
    const stuck = settled(planning, { [SMALL]: { ready: 0, isStuck: true } });
    const stuckText = `${SMALL}: too slow`;
    expect(reasonAndText({ children: stuck })).toEqual(['NodeNotReady', `node w1: Ready=Unknown; ${stuckText}`]);
    const issue = { reason: 'ProfileOff', message: 'The profile is off.' } as const;
    expect(reasonAndText({ children, issue })).toEqual(['ProfileOff', 'The profile is off; node w1: Ready=Unknown']);
    const waiting = { waiting: { reason: 'CrashLoopBackOff', message: 'why' } };
    const pods = [podOf(deployment(children, SMALL), { containerStatuses: [{ name: 'stage', state: waiting }] })];
    expect(reasonAndText({ children, pods })).toEqual([
      'CrashLoop',
      `n/${SMALL}-1, container stage: why; node w1: Ready=Unknown`,
    ]);
    const many = Array.from({ length: 8 }, (_, index) => ({ ...notReady, node: `w${index}`, message: `w${index}` }));
    expect(reasonAndText({ children, nodeConditions: many })[1]).toBe('w0; w1; w2; w3; w4; and 3 more');
  });

  it('tells pods without a node, and rollouts that make no progress', async () => {
    const planning = await small();
    const children = settled(planning, { [SMALL]: { ready: 0, isStuck: true } });
    const conditions = [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes' }];
    const pods = [podOf(deployment(children, SMALL), { conditions })];
    expect(condition(decide({ children, pods }, planning), 'Degraded')).toMatchObject({ reason: 'Unschedulable' });
    expect(condition(decide({ children }, planning), 'Degraded')).toMatchObject({ reason: 'RolloutStuck' });
  });
});

it('tells at once that the server refuses pods, long before the rollout counts as stuck', async () => {
  const planning = await small();
  const message = 'pods "shelf--detect--small-x" is forbidden: exceeded quota: team';
  const failure = { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message };
  const children = settled(planning, { [SMALL]: { ready: 0 } }).map((object) =>
    object.metadata.name === SMALL && object.kind === 'Deployment'
      ? ({ ...object, status: { ...(object as ObservedDeployment).status, conditions: [failure] } } as KubeObject)
      : object,
  );
  const degraded = condition(decide({ children }, planning), 'Degraded');
  expect(degraded).toMatchObject({ status: 'True', reason: 'PodsRefused', message: `${SMALL}: ${message}` });
});

describe('reconcile: the conditions', () => {
  it('say why nothing is planned', async () => {
    const invalid = decide({}, { kind: 'invalid', message: 'spec.slo: is missing' });
    expect(condition(invalid, 'Accepted')).toMatchObject({ status: 'False', message: 'spec.slo: is missing' });
    expect(condition(invalid, 'Planned')).toMatchObject({ status: 'False', reason: 'Invalid' });
    const off = decide({}, { kind: 'off' });
    expect(condition(off, 'Planned')).toMatchObject({ status: 'Unknown', reason: 'ControlOff' });
    const infeasible = decide({}, { kind: 'unplanned', reason: 'Infeasible', message: 'slo binds' });
    expect(condition(infeasible, 'Planned')).toMatchObject({
      status: 'False',
      reason: 'Infeasible',
      message: 'slo binds',
    });
    expect([invalid, off, infeasible].map(({ apply }) => apply.length)).toEqual([0, 0, 0]);
  });

  it('advise without a change', async () => {
    const advised = shelf({ mode: 'advise' });
    const result = decide({ pipeline: advised }, await wantedBy(advised, planWith('small')));
    expect([result.phase, result.apply, result.finalizer]).toEqual(['idle', [], undefined]);
    expect(condition(result, 'Planned')).toMatchObject({ status: 'True', reason: 'Advised' });
    expect(result.status.plan).toEqual(planWith('small'));
  });

  it.each([
    [0.991, 'True'],
    [0.989, 'False'],
    [undefined, 'Unknown'],
  ])('compare an attainment of %s with the SLO: %s', async (sloAttainmentFraction, status) => {
    const observed = {
      arrivalRps: 10,
      percentile: 99,
      ...(sloAttainmentFraction !== undefined && { sloAttainmentFraction }),
    };
    const result = decide({ observed }, await small());
    expect(condition(result, 'SLOMet')?.status).toBe(status);
    expect(result.status.observed).toEqual(observed);
  });

  it('are about the spec of the plan', async () => {
    const planning = await small();
    const children = settled(planning);
    const before = decide({ children }, planning).status;
    const changed = shelf({ metadata: { generation: 4 }, status: before });
    const replanning = decide({ pipeline: changed, children, isReplanning: true }, planning);
    expect([replanning.status.observedGeneration, condition(replanning, 'Ready')?.observedGeneration]).toEqual([3, 3]);
    expect(decide({ pipeline: changed, children }, planning).status.observedGeneration).toBe(4);
  });

  it('name a Deployment that a person paused', async () => {
    const planning = await large();
    const children = settled(planning).map((child) =>
      child.metadata.name === LARGE
        ? { ...child, spec: { ...(child as Deployment).spec, paused: true }, status: { observedGeneration: 1 } }
        : child,
    );
    const message = `${LARGE}: it is paused: kubectl rollout resume deployment ${LARGE}`;
    expect(condition(decide({ children }, planning), 'Degraded')).toMatchObject({ reason: 'RolloutStuck', message });
  });

  it('say that the pipeline is not ready without an object whose write is refused', async () => {
    const planning = await small();
    const all = settled(planning);
    const refusals = [{ kind: 'Service', name: ROUTER, reason: 'NameTaken', message: 'It is of others.' }] as const;
    const others = all.filter(({ kind, metadata }) => kind !== 'Service' || metadata.name !== ROUTER);
    expect(condition(decide({ children: others, refusals }, planning), 'Ready')).toMatchObject({
      ...{ status: 'False', reason: 'NameTaken' },
      message: `The pipeline has no Service ${ROUTER}: It is of others.`,
    });
    expect(condition(decide({ children: all, refusals }, planning), 'Ready')?.status).toBe('True');
  });

  it('keep the time of their last change', async () => {
    const before = decide({}, { kind: 'off' }).status;
    const later = { nowEpochMs: NOW_EPOCH_MS + 60_000 };
    const view = { pipeline: shelf({ status: before }), children: [], pods: [] };
    const same = reconcile(view, { kind: 'off' }, later);
    expect(same.status).toEqual(before);
    const other = reconcile(view, { kind: 'invalid', message: 'no' }, later);
    expect(condition(other, 'Accepted')?.lastTransitionTime).toBe('2026-06-01T12:01:00Z');
    expect(condition(other, 'SLOMet')?.lastTransitionTime).toBe('2026-06-01T12:00:00Z');
  });
});

describe('reconcile: the end', () => {
  const ended = shelf({ metadata: { ...held, deletionTimestamp: '2026-06-01T12:00:00Z' } });

  it('takes the router away first, and lets go when its last pod is gone', async () => {
    const planning = await small();
    const children = settled(planning);
    const first = decide({ pipeline: ended, children }, planning);
    expect([first.phase, first.apply, first.finalizer]).toEqual(['ending', [], undefined]);
    expect(removed(first)).toEqual([`Deployment ${ROUTER}`]);
    const router = deployment(children, ROUTER);
    const rest = children.filter((child) => child !== router);
    const draining = decide({ pipeline: ended, children: rest, pods: [podOf(router)] }, planning);
    expect([draining.remove, draining.finalizer]).toEqual([[], undefined]);
    expect(condition(draining, 'Ready')).toMatchObject({ status: 'False', reason: 'Ending' });
    const gone = decide({ pipeline: ended, children: rest }, planning);
    expect(gone.finalizer).toBe('take-off');
  });

  it.each([
    ['sets the finalizer that the annotation asks for', { annotations: held.annotations }, 'set'],
    ['keeps it while the annotation stands', held, undefined],
    ['takes off the finalizer of an earlier operator', { finalizers: [FINALIZER] }, 'take-off'],
  ])('%s', async (_, metadata, expected) => {
    const planning = await small();
    const view = { pipeline: shelf({ metadata }), children: settled(planning), pods: [] };
    expect(reconcile(view, planning, { nowEpochMs: NOW_EPOCH_MS }).finalizer).toBe(expected);
    const advised = { ...view, pipeline: shelf({ mode: 'advise', metadata }) };
    expect(reconcile(advised, { kind: 'off' }, { nowEpochMs: NOW_EPOCH_MS }).finalizer).toBe(expected);
  });

  it('leaves a pipeline alone whose finalizer is off', async () => {
    const over = shelf({ metadata: { deletionTimestamp: '2026-06-01T12:00:00Z' } });
    const result = decide({ pipeline: over }, await small());
    expect([result.phase, result.apply, result.remove]).toEqual(['idle', [], []]);
  });
});
