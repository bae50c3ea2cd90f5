/**
 * The steps of a change, each made before the next one breaks anything. While stages are being prepared, what the plan wants stands beside
 * what runs, and nothing shrinks; once all of it is ready the router is switched; once no pod of the old router is left, what nobody is sent
 * to any more goes. A stage that never gets ready therefore costs the old plan nothing, and a plan that replaces it takes its place.
 */
import { type KubeObject, type ObjectRef, refTo } from '../api/kube-object.js';
import type { Deployment, NetworkPolicy } from '../render/manifest-types.js';
import { LABEL_PREFIX } from '../render/object-names.js';
import { type ForeignReplicas, foreignReplicas } from './foreign-replicas.js';
import {
  childTypes,
  type InferencePipeline,
  isRouter,
  isStage,
  type ObservedDeployment,
  type ObservedPod,
} from './observed-objects.js';
import type { ObservedPipeline, Phase } from './reconciliation.js';
import { rolloutState } from './rollout-state.js';

/** Which of the stages' Deployments a router is configured for, on the router's Deployment. */
export const ROUTES_TO = `${LABEL_PREFIX}/routes-to`;

/** The digest of the configuration that a pod was started with. */
const DIGEST = `${LABEL_PREFIX}/config-digest`;

/** What a pipeline's objects need now. */
export interface Work {
  readonly phase: Phase;
  readonly apply: readonly KubeObject[];
  readonly remove: readonly ObjectRef[];
  readonly foreign: readonly ForeignReplicas[];
}

/** Nothing is to be done. */
export const IDLE: Work = { phase: 'idle', apply: [], remove: [], foreign: [] };

/** The work on the objects of a plan, as far as what is observed allows it. */
export function transition(
  view: ObservedPipeline,
  live: ReadonlyMap<string, ObservedDeployment>,
  rendered: readonly KubeObject[],
  fieldManager: string,
): Work {
  const { pipeline } = view;
  const wanted = rendered.map((object) => owned(object, pipeline));
  const wantedDeployments = wanted.filter(isDeployment);
  const stages = wantedDeployments.filter(isStage);
  const routes = stages
    .map(({ metadata }) => metadata.name)
    .sort()
    .join(',');
  const router = wantedDeployments.find(isRouter);
  const liveRouter = router && live.get(router.metadata.name);

  const foreign = stages.flatMap((stage) => {
    const present = live.get(stage.metadata.name);
    return (present && foreignReplicas(present, stage.spec.replicas, fieldManager)) ?? [];
  });
  const held = new Set(foreign.map(({ deployment }) => deployment));
  const routerPods = view.pods.filter(isRouter);
  const isSwitched =
    router === undefined || (liveRouter !== undefined && runs(liveRouter, router, { routes, routerPods }));
  const isPrepared = stages.every((stage) => isReadyFor(stage, live.get(stage.metadata.name), held));
  const phase: Phase = isSwitched && isPrepared ? 'settled' : isPrepared ? 'switching' : 'preparing';

  const apply = wanted.flatMap((object) => {
    if (isDeployment(object) && isStage(object)) {
      return [stageNow(object, live.get(object.metadata.name), held, isSwitched)];
    }
    if (!isRouter(object)) return [object];
    // Before its stages are there a router stays as it is; the first one may come at once, for it waits for them.
    if (phase === 'preparing' && liveRouter !== undefined) return [];
    if (isDeployment(object)) return [withRoutes(object, routes)];
    return [isSwitched ? object : withOldEgress(object, view.children)];
  });
  const inUse = isSwitched ? () => false : usedBy(liveRouter, routerPods);
  return { phase, apply, remove: leftovers(view.children, wanted, inUse), foreign };
}

const isDeployment = (object: KubeObject): object is Deployment => object.kind === 'Deployment';

/** Children are the pipeline's: they go with it. */
function owned(object: KubeObject, { apiVersion, kind, metadata }: InferencePipeline): KubeObject {
  const owner = {
    apiVersion,
    kind,
    name: metadata.name,
    uid: metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
  const { namespace } = metadata;
  return {
    ...object,
    metadata: { ...object.metadata, ...(namespace !== undefined && { namespace }), ownerReferences: [owner] },
  };
}

/** Whether a stage runs as wanted, with at least the wanted replicas or with those that somebody else set. */
function isReadyFor(wanted: Deployment, live: ObservedDeployment | undefined, held: ReadonlySet<string>): boolean {
  if (live === undefined || digestOf(live) !== digestOf(wanted)) return false;
  const isEnough = held.has(wanted.metadata.name) || (live.spec.replicas ?? 1) >= wanted.spec.replicas;
  return isEnough && rolloutState(live).kind === 'complete';
}

const digestOf = ({ spec }: ObservedDeployment | Deployment): string | undefined =>
  spec.template.metadata?.annotations?.[DIGEST];

/** Whether the router has the configuration of the plan, and no pod of an older one is left, not even one that is going. */
function runs(
  live: ObservedDeployment,
  wanted: Deployment,
  { routes, routerPods }: { readonly routes: string; readonly routerPods: readonly ObservedPod[] },
): boolean {
  const digest = digestOf(wanted);
  if (digestOf(live) !== digest || live.metadata.annotations?.[ROUTES_TO] !== routes) return false;
  return rolloutState(live).kind === 'complete' && areOf(routerPods, digest);
}

const areOf = (pods: readonly ObservedPod[], digest: string | undefined): boolean =>
  pods.every(({ metadata }) => metadata.annotations?.[DIGEST] === digest);

/** A stage as it is to be applied now: while the old router is at work nothing shrinks; what others set is left out. */
function stageNow(
  wanted: Deployment,
  live: ObservedDeployment | undefined,
  held: ReadonlySet<string>,
  isSwitched: boolean,
): KubeObject {
  const { replicas, ...spec } = wanted.spec;
  if (held.has(wanted.metadata.name)) return { ...wanted, spec } as KubeObject;
  const present = live?.spec.replicas ?? 0;
  return { ...wanted, spec: { ...spec, replicas: isSwitched ? replicas : Math.max(replicas, present) } } as KubeObject;
}

function withRoutes(router: KubeObject, routes: string): KubeObject {
  const annotations = { ...router.metadata.annotations, [ROUTES_TO]: routes };
  return { ...router, metadata: { ...router.metadata, annotations } };
}

/** A network policy that still allows what it allowed, for pods of the old router send on until they are gone. */
function withOldEgress(object: KubeObject, children: readonly KubeObject[]): KubeObject {
  if (object.kind !== 'NetworkPolicy') return object;
  const old = children.find(({ kind, metadata }) => kind === object.kind && metadata.name === object.metadata.name);
  const policy = object as NetworkPolicy;
  const had = (old as NetworkPolicy | undefined)?.spec.egress ?? [];
  const all = new Map([...policy.spec.egress, ...had].map((rule) => [JSON.stringify(rule), rule]));
  return { ...policy, spec: { ...policy.spec, egress: [...all.values()] } } as KubeObject;
}

/** Which children a router may still send to before it is switched: all while its pods differ, else those that it is configured for. */
function usedBy(router: ObservedDeployment | undefined, pods: readonly ObservedPod[]): (child: KubeObject) => boolean {
  if (router !== undefined && (rolloutState(router).kind !== 'complete' || !areOf(pods, digestOf(router))))
    return () => true;
  const routed = new Set((router?.metadata.annotations?.[ROUTES_TO] ?? '').split(','));
  return (child) => !isStage(child) || routed.has(child.metadata.name);
}

/** Children that the plan does not want and that are not in use. */
function leftovers(
  children: readonly KubeObject[],
  wanted: readonly KubeObject[],
  inUse: (child: KubeObject) => boolean,
): readonly ObjectRef[] {
  const kept = new Set(wanted.map(idOf));
  return children.flatMap((child) => {
    const type = childTypes[child.kind];
    if (type === undefined || kept.has(idOf(child)) || child.metadata.deletionTimestamp !== undefined) return [];
    return inUse(child) ? [] : [refTo(type, child)];
  });
}

const idOf = ({ kind, metadata }: KubeObject): string => `${kind} ${metadata.name}`;
