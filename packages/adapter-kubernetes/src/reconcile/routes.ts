/** Targets of a router: annotated on its Deployment, or (after `k8s apply`) read from its pipeline file. */
import { followsAddresses, LruCache, type PipelineSpec } from '@equipoise/core/model';
import { parsePipelineFile } from '@equipoise/pipeline-file';
import type { KubeObject } from '../api/kube-object.js';
import { LABEL_PREFIX, workloadName } from '../cluster/object-names.js';
import { deployments, isRouter, type ObservedDeployment, routerOf } from '../cluster/observed-objects.js';
import { filesOf } from '../render/config-files.js';
import type { ConfigMap } from '../render/manifest-types.js';
import { digestOf } from './replica-groups.js';

export const ROUTES_TO = `${LABEL_PREFIX}/routes-to`;

/** Annotation of the plan in force; during sharing that is still the old plan. */
const IN_FORCE = `${LABEL_PREFIX}/in-force`;

export interface Routes {
  readonly to: readonly string[];
  readonly inForce: ReadonlyMap<string, number>;
}

export function withRoutes(router: KubeObject, { to, inForce }: Routes): KubeObject {
  const counts = [...inForce].map(([name, replicas]) => `${name}=${replicas}`);
  const annotations = { ...router.metadata.annotations, [ROUTES_TO]: listOf(to), [IN_FORCE]: listOf(counts) };
  return { ...router, metadata: { ...router.metadata, annotations } };
}

/** Routes of a router; empty if it has no annotation. */
export function routesOf(router: ObservedDeployment | undefined): Routes {
  const { [ROUTES_TO]: to = '', [IN_FORCE]: counts = '' } = router?.metadata.annotations ?? {};
  const named = counts.split(',').flatMap((entry) => {
    const [name, replicas] = entry.split('=');
    return name === undefined || replicas === undefined ? [] : [[name, Number(replicas)] as const];
  });
  return { to: to.split(',').filter((name) => name !== ''), inForce: new Map(named) };
}

/** Adds known routes; `stages` are the existing Deployments. */
export function withKnownRoutes(
  router: ObservedDeployment,
  children: readonly KubeObject[],
  stages: readonly ObservedDeployment[],
): ObservedDeployment {
  if (router.metadata.annotations?.[ROUTES_TO] !== undefined) return router;
  const pinned = routedReplicas(router, children);
  // If its file is missing, the router may use any stage.
  const routed = stages.filter(({ metadata }) => pinned === undefined || pinned.has(metadata.name));
  const inForce = routed.map(
    ({ metadata: { name }, spec }) => [name, pinned?.get(name) ?? spec.replicas ?? 1] as const,
  );
  const routes = { to: routed.map(({ metadata }) => metadata.name), inForce: new Map(inForce) };
  return withRoutes(router, routes) as ObservedDeployment;
}

/** Pinned replicas by workload, undefined for those that follow the pods. Undefined without the file of the router. */
function routedReplicas(
  router: ObservedDeployment,
  children: readonly KubeObject[],
): ReadonlyMap<string, number | undefined> | undefined {
  const spec = routedSpec(router, children);
  return spec && new Map(routedWorkloads(spec, router).map(({ workload, stage }) => [workload, stage.pins.replicas]));
}

const known = new LruCache<readonly string[]>(256);

/** Workloads whose ready pods the router among these objects uses, whatever their number. */
export function followedBy(objects: readonly KubeObject[]): ReadonlySet<string> {
  const router = objects.find((object) => object.kind === deployments.kind && isRouter(object));
  if (router === undefined) return new Set();
  const deployment = router as ObservedDeployment;
  const names = known.remember(`${routerOf(router)} ${digestOf(deployment)}`, () => {
    const spec = routedSpec(deployment, objects);
    const routed = spec === undefined ? [] : routedWorkloads(spec, deployment);
    return routed.flatMap(({ workload, stage }) => (followsAddresses(stage) ? [workload] : []));
  });
  return new Set(names);
}

/** The file that a router runs; undefined without it. */
function routedSpec(router: ObservedDeployment, objects: readonly KubeObject[]): PipelineSpec | undefined {
  const config = objects.find((object) => object.kind === 'ConfigMap' && isRouter(object)) as ConfigMap | undefined;
  const file = config && filesOf(config).get(digestOf(router) ?? '');
  if (file === undefined) return undefined;
  const parsed = parsePipelineFile(file, { fileName: 'router', baseDir: '/' });
  return parsed.kind === 'invalid' ? undefined : parsed.spec;
}

function routedWorkloads({ name, stages }: PipelineSpec, router: ObservedDeployment) {
  return stages.flatMap((stage) => {
    const { variantId } = stage.pins;
    return variantId === undefined
      ? []
      : [{ workload: workloadName(name, stage.id, variantId, routerOf(router)), stage }];
  });
}

export function sendsTo(router: ObservedDeployment, to: readonly string[]): boolean {
  return router.metadata.annotations?.[ROUTES_TO] === listOf(to);
}

const listOf = (entries: readonly string[]): string => entries.toSorted().join(',');
