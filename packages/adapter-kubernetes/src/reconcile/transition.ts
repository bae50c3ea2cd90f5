/**
 * Steps of a change; each step is complete before the next step removes anything. New stages start, then the router
 * switches (in canary steps if workloads are new), then old stages are removed. A router follows the ready pods of its
 * stages, so a change of replicas alone only scales the stages.
 */
import { isDeepStrictEqual } from 'node:util';
import { TRIAL_MS } from '@equipoise/core/serve';
import { type KubeObject, type ObjectRef, refTo } from '../api/kube-object.js';
import {
  type InferencePipeline,
  isCanaryRouter,
  isRouter,
  isStage,
  meshTypes,
  type ObservedDeployment,
  type ObservedPod,
  ownedTypes,
} from '../cluster/observed-objects.js';
import { rolloutState } from '../cluster/rollout-state.js';
import type { Deployment, NetworkPolicy } from '../render/manifest-types.js';
import { CONFIG_DIGEST } from '../render/pod-template.js';
import { type CanaryDecision, decideCanary } from './canary.js';
import { mayBeRemoved, UNWATCHED_MS } from './canary-means.js';
import { admitCanaryRouter, canaryName, ownPartOf, shareOf } from './canary-router.js';
import { boundCpuCores, type HeadroomSteps, type ReplicaGroup, stepsWithinHeadroom } from './headroom.js';
import { withKeptTexts } from './kept-templates.js';
import type { ObservedPipeline, Phase, Planning } from './reconciliation.js';
import { digestOf, type ForeignReplicas, foreignReplicas, isOfTemplate, replicaGroups } from './replica-groups.js';
import type { CanaryFailure } from './rollback.js';
import { followedBy, type Routes, routesOf, sendsTo, withKnownRoutes, withRoutes } from './routes.js';
import { sharedRouter } from './shared-router.js';

/** Time to keep previous replicas warm: twice the trial, because a new router reports late. */
const WARM_MS = 2 * TRIAL_MS;

export interface Work {
  readonly phase: Phase;
  readonly apply: readonly KubeObject[];
  readonly remove: readonly ObjectRef[];
  readonly foreign: readonly ForeignReplicas[];
  readonly againAfterMs?: number | undefined;
  readonly awaitsVerdict?: boolean | undefined;
  readonly isQuiet?: boolean | undefined;
  /** True if the router runs the plan, and only further replicas of its stages are missing. */
  readonly isGrowing?: boolean;
  readonly canary?: { readonly workloads: readonly string[]; readonly fraction: number };
  readonly failure?: CanaryFailure | undefined;
}

export const IDLE: Work = { phase: 'idle', apply: [], remove: [], foreign: [] };

type PlannedObjects = Pick<Extract<Planning, { kind: 'planned' }>, 'objects' | 'bounds' | 'plan' | 'allowsCanary'>;

export function transition(
  view: ObservedPipeline,
  live: ReadonlyMap<string, ObservedDeployment>,
  planned: PlannedObjects,
  { nowEpochMs }: { readonly nowEpochMs: number },
): Work {
  const change = changeOf(view, live, planned.objects);
  const { router, liveRouter, isSwitched } = change;
  const decision: CanaryDecision =
    router === undefined || liveRouter === undefined || isSwitched || !planned.allowsCanary
      ? { kind: 'none' }
      : decideCanary({ ...change, router, liveRouter, slo: planned.plan.predicted, nowEpochMs });
  if (decision.kind === 'taken-back') {
    const { kind: phase, ...rest } = decision;
    return { phase, foreign: change.foreign, ...rest };
  }
  const work = workOn(change, planned.bounds, { isShifting: decision.kind === 'step', nowEpochMs });
  const apply = hasCanaryRouter(change) || decision.kind === 'step' ? work.apply.map(admitCanary(view)) : work.apply;
  if (decision.kind === 'none') {
    return { ...work, apply, againAfterMs: decision.againAfterMs ?? work.againAfterMs };
  }
  const { kind: _, newcomers, fraction, apply: next, ...rest } = decision;
  const canary = { workloads: newcomers, fraction };
  return { ...rest, phase: 'shifting', foreign: work.foreign, remove: work.remove, apply: [...apply, ...next], canary };
}

const admitCanary =
  ({ pipeline }: ObservedPipeline) =>
  (object: KubeObject): KubeObject =>
    admitCanaryRouter(pipeline.metadata.name, object);

interface PlanChange {
  readonly view: ObservedPipeline;
  readonly live: ReadonlyMap<string, ObservedDeployment>;
  readonly wanted: readonly KubeObject[];
  readonly stages: readonly Deployment[];
  readonly router: Deployment | undefined;
  readonly liveRouter: ObservedDeployment | undefined;
  readonly routerPods: readonly ObservedPod[];
  readonly routes: Routes;
  readonly foreign: readonly ForeignReplicas[];
  /** Workloads with replicas set by foreign writers. */
  readonly held: ReadonlySet<string>;
  readonly isSwitched: boolean;
  /** True if the router may switch. */
  readonly isPrepared: boolean;
  /** True if all replicas are ready. */
  readonly isComplete: boolean;
}

function changeOf(
  view: ObservedPipeline,
  live: ReadonlyMap<string, ObservedDeployment>,
  objects: readonly KubeObject[],
): PlanChange {
  const rendered = withKeptTexts(
    ownedObjects(objects, view.pipeline),
    view.children,
    canaryName(view.pipeline.metadata.name),
  );
  const deployments = rendered.filter(isDeployment);
  const byOthers = deployments.flatMap((deployment) => {
    const present = live.get(deployment.metadata.name);
    return (present && foreignReplicas(present, deployment.spec.replicas, view.autoscalers)) ?? [];
  });
  const foreign = byOthers.filter(({ replicas, wanted: planned }) => replicas !== planned);
  const held = new Set(byOthers.map(({ deployment }) => deployment));
  const wanted = rendered.map((object) => (isRouter(object) ? withoutHeldReplicas(object, held) : object));
  const stages = deployments.filter(isStage);
  const router = wanted.filter(isDeployment).find(isRouter);
  const presentRouter = router && live.get(router.metadata.name);
  const liveRouter = presentRouter && withKnownRoutes(presentRouter, view.children, [...live.values()].filter(isStage));
  const routes: Routes = {
    to: stages.map(({ metadata }) => metadata.name),
    inForce: new Map(stages.map(({ metadata, spec }) => [metadata.name, spec.replicas])),
  };
  const routerPods = view.pods.filter(isRouter);
  const followed = followedBy(wanted);
  const { inForce, to } = routesOf(liveRouter);
  const isShared = to.some((name) => !inForce.has(name));
  const serves = (stage: Deployment): boolean => {
    const { name } = stage.metadata;
    return !isShared && followed.has(name) && inForce.has(name) && servesAlready(stage, live.get(name));
  };
  const isComplete = (stage: Deployment): boolean => isReadyFor(stage, live.get(stage.metadata.name), held);
  return {
    view,
    live,
    wanted,
    stages,
    router,
    liveRouter,
    routerPods,
    routes,
    foreign,
    held,
    isSwitched:
      router === undefined || (liveRouter !== undefined && isRunning(liveRouter, router, { routes, routerPods })),
    isPrepared: stages.every((stage) => isComplete(stage) || serves(stage)),
    isComplete: stages.every(isComplete),
  };
}

/** During a canary, its steps configure the router. */
function workOn(
  change: PlanChange,
  bounds: PlannedObjects['bounds'],
  { isShifting, nowEpochMs }: { readonly isShifting: boolean; readonly nowEpochMs: number },
): Work {
  const { view, live, wanted, stages, liveRouter, routerPods, routes, foreign, held } = change;
  const { isSwitched, isPrepared, isComplete } = change;
  const groups = replicaGroups({
    wanted: stages,
    live: [...live.values()].filter(isStage),
    pods: view.pods,
    foreign: held,
    inForce: routesOf(liveRouter).inForce,
  });
  const bound = boundCpuCores(bounds, groups);
  const apart = stepsWithinHeadroom(groups, bound, false);
  const isTight = !isShifting && !isSwitched && !isPrepared && apart.kind !== 'roomy';
  const shared = isTight ? sharedWork(wanted, view.children, { liveRouter, routerPods, routes }) : undefined;
  const steps = shared?.isRunning === true ? stepsWithinHeadroom(groups, bound, true) : apart;
  const isSharing = shared !== undefined && (shared.isRunning || steps.kind === 'share');
  const isStuck = ['share', 'none'].includes(steps.kind);
  const phase = phaseOf({ isSwitched, isPrepared, isComplete, isSharing, isStuck });

  const apply = wanted.flatMap((object) => {
    if (isStage(object)) return stageNow(object, steps, { held, isSwitched });
    if (!isRouter(object)) return [object];
    // The first router waits for its stages itself.
    const comes = !isShifting && (isPrepared || isSwitched || liveRouter === undefined);
    return comes ? [routerNow(object, { routes, isSwitched, children: view.children })] : [];
  });
  const leaving = isSwitched ? [] : groups.flatMap((group) => shrinkDeployment(group, steps, live.get(group.name)));
  const onTrialMs = phase === 'settled' ? trialLeftMs(view, nowEpochMs) : 0;
  const isTried = hasCanaryRouter(change);
  const mayGo = mayBeRemoved(view.children);
  const inUse = isSwitched ? isKeptWarm(view, onTrialMs) : isUsedBy(liveRouter, routerPods);
  return {
    againAfterMs: view.children.some(isMeshObject) ? UNWATCHED_MS : onTrialMs > 0 ? onTrialMs : undefined,
    phase,
    isGrowing: isSwitched && isPrepared && !isComplete,
    foreign,
    remove: leftovers(view.children, wanted, (child) => inUse(child) || (isTried && isStage(child)) || !mayGo(child)),
    apply: [...apply, ...(isSharing ? (shared?.apply ?? []) : []), ...leaving],
  };
}

/** Remaining time of the trial, in which previous replicas stay warm for a roll-back; 0 without signals. */
function trialLeftMs({ pods, observed }: ObservedPipeline, nowEpochMs: number): number {
  if (observed === undefined) return 0;
  const created = pods.filter(isRouter).map(({ metadata }) => Date.parse(metadata.creationTimestamp ?? ''));
  const youngest = Math.max(...created.filter((epochMs) => !Number.isNaN(epochMs)));
  return Number.isFinite(youngest) ? Math.max(0, youngest + WARM_MS - nowEpochMs) : 0;
}

/** True if a canary router exists or was just removed: it may use any stage. */
function hasCanaryRouter({ view, live }: PlanChange): boolean {
  return live.has(canaryName(view.pipeline.metadata.name)) || view.pods.some(isCanaryRouter);
}

/** Selects previous replicas that are kept warm: all except those that were rolled back. */
function isKeptWarm({ pipeline }: ObservedPipeline, onTrialMs: number): (child: KubeObject) => boolean {
  const { workloads = [] } = pipeline.status?.rollback ?? {};
  return (child) => onTrialMs > 0 && !isCanaryRouter(child) && !workloads.includes(child.metadata.name);
}

function phaseOf(state: {
  readonly isSwitched: boolean;
  readonly isPrepared: boolean;
  readonly isComplete: boolean;
  readonly isSharing: boolean;
  readonly isStuck: boolean;
}): Phase {
  const { isSwitched, isPrepared, isComplete, isSharing, isStuck } = state;
  if (isSwitched) return isComplete ? 'settled' : 'preparing';
  if (isPrepared) return 'switching';
  if (isSharing) return 'sharing';
  return isStuck ? 'no-room' : 'preparing';
}

/** Work with a shared router; undefined if the pods are not interchangeable. */
function sharedWork(
  wanted: readonly KubeObject[],
  children: readonly KubeObject[],
  {
    liveRouter,
    routerPods,
    routes,
  }: { liveRouter: ObservedDeployment | undefined; routerPods: readonly ObservedPod[]; routes: Routes },
): { readonly isRunning: boolean; readonly apply: readonly KubeObject[] } | undefined {
  const objects = liveRouter && sharedRouter(wanted, children)?.filter(isRouter);
  const router = objects?.filter(isDeployment)[0];
  if (liveRouter === undefined || objects === undefined || router === undefined) return undefined;
  const before = routesOf(liveRouter);
  const both: Routes = { to: [...new Set([...before.to, ...routes.to])], inForce: before.inForce };
  return {
    isRunning: isRunning(liveRouter, router, { routes: both, routerPods }),
    apply: objects.map((object) => (isDeployment(object) ? withRoutes(object, both) : withOldEgress(object, children))),
  };
}

const isDeployment = (object: KubeObject): object is Deployment => object.kind === 'Deployment';

const owners = new WeakMap<
  readonly KubeObject[],
  { readonly uid: string | undefined; readonly owned: readonly KubeObject[] }
>();

/** Cached to keep object identity. */
export function ownedObjects(objects: readonly KubeObject[], pipeline: InferencePipeline): readonly KubeObject[] {
  const { uid } = pipeline.metadata;
  const known = owners.get(objects);
  if (known !== undefined && known.uid === uid) return known.owned;
  const owned = objects.map((object) => ownedBy(object, pipeline));
  owners.set(objects, { uid, owned });
  return owned;
}

function ownedBy(object: KubeObject, { apiVersion, kind, metadata }: InferencePipeline): KubeObject {
  const owner = {
    apiVersion,
    kind,
    name: metadata.name,
    uid: metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
  return {
    ...object,
    metadata: { ...object.metadata, namespace: metadata.namespace, ownerReferences: [owner] },
  };
}

/** True if a workload is ready. Replicas set by a foreign writer suffice. */
function isReadyFor(wanted: Deployment, live: ObservedDeployment | undefined, held: ReadonlySet<string>): boolean {
  if (live === undefined || !isOfTemplate(live, wanted)) return false;
  const isEnough = held.has(wanted.metadata.name) || (live.spec.replicas ?? 1) >= wanted.spec.replicas;
  return isEnough && rolloutState(live).kind === 'complete';
}

/**
 * True if a workload of the plan in force has a ready pod of its template, and no other pods. A router that follows its
 * pods need not wait for more, which may never fit: unless the present router is shared, it uses the same pods.
 */
function servesAlready(wanted: Deployment, live: ObservedDeployment | undefined): boolean {
  if (live === undefined || !isOfTemplate(live, wanted)) return false;
  const { observedGeneration = 0, replicas = 0, updatedReplicas = 0, readyReplicas = 0 } = live.status ?? {};
  return observedGeneration >= (live.metadata.generation ?? 0) && updatedReplicas === replicas && readyReplicas > 0;
}

/** True if the router has the plan's configuration, serves without a canary, and has no older pods. */
function isRunning(
  live: ObservedDeployment,
  wanted: Deployment,
  { routes, routerPods }: { readonly routes: Routes; readonly routerPods: readonly ObservedPod[] },
): boolean {
  const digest = digestOf(wanted);
  if (digestOf(live) !== digest || !sendsTo(live, routes.to) || shareOf(live.spec.template) > 0) return false;
  if (routerPods.some((pod) => shareOf(pod) > 0)) return false;
  return rolloutState(live).kind === 'complete' && haveDigest(routerPods, digest);
}

const haveDigest = (pods: readonly ObservedPod[], digest: string | undefined): boolean =>
  pods.every(({ metadata }) => metadata.annotations?.[CONFIG_DIGEST] === digest);

/** The stage as applied now: within the headroom, without fields of foreign writers. */
function stageNow(
  wanted: KubeObject,
  steps: HeadroomSteps,
  { held, isSwitched }: { readonly held: ReadonlySet<string>; readonly isSwitched: boolean },
): readonly KubeObject[] {
  const { name } = wanted.metadata;
  if (!isSwitched && steps.postponed.has(name)) return [];
  if (!isDeployment(wanted) || held.has(name)) return [withoutHeldReplicas(wanted, held)];
  const { replicas, ...spec } = wanted.spec;
  const granted = steps.replicas.get(name) ?? replicas;
  // The router follows, so surplus replicas stop at once.
  const now = isSwitched ? Math.min(replicas, granted) : granted;
  return now === replicas ? [wanted] : [{ ...wanted, spec: { ...spec, replicas: now } } as KubeObject];
}

function withoutHeldReplicas(object: KubeObject, held: ReadonlySet<string>): KubeObject {
  if (!isDeployment(object) || !held.has(object.metadata.name)) return object;
  const { replicas: _, ...spec } = object.spec;
  return { ...object, spec } as KubeObject;
}

function routerNow(
  object: KubeObject,
  { routes, isSwitched, children }: { routes: Routes; isSwitched: boolean; children: readonly KubeObject[] },
): KubeObject {
  if (isDeployment(object)) return withRoutes(object, routes);
  return isSwitched ? object : withOldEgress(object, children);
}

function shrinkDeployment(
  { name, wanted, present }: ReplicaGroup,
  steps: HeadroomSteps,
  live: ObservedDeployment | undefined,
) {
  const replicas = steps.replicas.get(name);
  const keepsTemplate = wanted === undefined || steps.postponed.has(name);
  if (live === undefined || !keepsTemplate || replicas === undefined || replicas === present) return [];
  const own = ownPartOf(live);
  return [{ ...own, spec: { ...own.spec, replicas } } as KubeObject];
}

/** Adds the old egress rules, because pods of the old router still send. */
function withOldEgress(object: KubeObject, children: readonly KubeObject[]): KubeObject {
  if (object.kind !== 'NetworkPolicy') return object;
  const old = children.find(({ kind, metadata }) => kind === object.kind && metadata.name === object.metadata.name);
  const policy = object as NetworkPolicy;
  const had = (old as NetworkPolicy | undefined)?.spec.egress ?? [];
  const { egress } = policy.spec;
  const more = had.filter((rule) => !egress.some((each) => isDeepStrictEqual(each, rule)));
  return { ...policy, spec: { ...policy.spec, egress: [...egress, ...more] } } as KubeObject;
}

/** Selects children that the router may use: all while its pods differ, otherwise those of its routes. */
function isUsedBy(
  router: ObservedDeployment | undefined,
  pods: readonly ObservedPod[],
): (child: KubeObject) => boolean {
  if (router !== undefined && (rolloutState(router).kind !== 'complete' || !haveDigest(pods, digestOf(router))))
    return () => true;
  const routed = new Set(routesOf(router).to);
  return (child) => !isStage(child) || routed.has(child.metadata.name);
}

function leftovers(
  children: readonly KubeObject[],
  wanted: readonly KubeObject[],
  inUse: (child: KubeObject) => boolean,
): readonly ObjectRef[] {
  const kept = new Set(wanted.map(idOf));
  return children.flatMap((child) => {
    const type = ownedTypes[child.kind];
    if (type === undefined || kept.has(idOf(child)) || child.metadata.deletionTimestamp !== undefined) return [];
    return inUse(child) ? [] : [refTo(type, child)];
  });
}

const isMeshObject = ({ kind }: KubeObject): boolean => meshTypes[kind] !== undefined;

const idOf = ({ kind, metadata }: KubeObject): string => `${kind} ${metadata.name}`;
