/**
 * What a router sends to, as annotations of its Deployment: so it is read from the cluster. The Deployment that `k8s apply` brought says
 * nothing; there the pipeline file that the router is started with does.
 */
import { parsePipelineFile } from '@equipoise/pipeline-file';
import type { KubeObject } from '../api/kube-object.js';
import { LABEL_PREFIX, objectName, digestOf as textDigestOf } from '../cluster/object-names.js';
import { isRouter, type ObservedDeployment } from '../cluster/observed-objects.js';
import type { ConfigMap } from '../render/manifest-types.js';
import { digestOf } from './replica-groups.js';

/** Which of the stages' Deployments a router is configured for, on the router's Deployment. */
export const ROUTES_TO = `${LABEL_PREFIX}/routes-to`;

/** How many replicas of each the plan in force has, there, too. While old and new pods share the traffic that is still the old plan. */
const IN_FORCE = `${LABEL_PREFIX}/in-force`;

/** What a router sends to: Deployments of stages, and how many replicas the plan has that is in force. */
export interface Routes {
  readonly to: readonly string[];
  readonly inForce: ReadonlyMap<string, number>;
}

/** The Deployment of a router with what it sends to. */
export function withRoutes(router: KubeObject, { to, inForce }: Routes): KubeObject {
  const counts = [...inForce].map(([name, replicas]) => `${name}=${replicas}`);
  const annotations = { ...router.metadata.annotations, [ROUTES_TO]: listOf(to), [IN_FORCE]: listOf(counts) };
  return { ...router, metadata: { ...router.metadata, annotations } };
}

/** What the Deployment of a router says that it sends to; nothing where it is missing. */
export function routesOf(router: ObservedDeployment | undefined): Routes {
  const { [ROUTES_TO]: to = '', [IN_FORCE]: counts = '' } = router?.metadata.annotations ?? {};
  const named = counts.split(',').flatMap((entry) => {
    const [name, replicas] = entry.split('=');
    return name === undefined || replicas === undefined ? [] : [[name, Number(replicas)] as const];
  });
  return { to: to.split(',').filter((name) => name !== ''), inForce: new Map(named) };
}

/** The Deployment of a router that says what it sends to, whoever brought it; `stages` are the Deployments of stages that there are. */
export function withKnownRoutes(
  router: ObservedDeployment,
  children: readonly KubeObject[],
  stages: readonly ObservedDeployment[],
): ObservedDeployment {
  if (router.metadata.annotations?.[ROUTES_TO] !== undefined) return router;
  const pinned = pinnedReplicas(router, children);
  // Of a router whose file is not there it may send to any of them.
  const routed = stages.filter(({ metadata }) => pinned === undefined || pinned.has(metadata.name));
  const inForce = routed.map(
    ({ metadata: { name }, spec }) => [name, pinned?.get(name) ?? spec.replicas ?? 1] as const,
  );
  const routes = { to: routed.map(({ metadata }) => metadata.name), inForce: new Map(inForce) };
  return withRoutes(router, routes) as ObservedDeployment;
}

/** The replicas that a router's file pins, by name of the Deployment; undefined where there is no such file, or not the one it runs. */
function pinnedReplicas(
  router: ObservedDeployment,
  children: readonly KubeObject[],
): ReadonlyMap<string, number> | undefined {
  const config = children.find((child) => child.kind === 'ConfigMap' && isRouter(child)) as ConfigMap | undefined;
  const file = config?.data['pipeline.yaml'];
  if (file === undefined || textDigestOf(file, 16) !== digestOf(router)) return undefined;
  const parsed = parsePipelineFile(file, { fileName: 'router', baseDir: '/' });
  if (parsed.kind === 'invalid') return undefined;
  const { name, stages } = parsed.spec;
  const pins = stages.flatMap(({ id, pins: { variantId, replicas } = {} }) =>
    variantId === undefined || replicas === undefined ? [] : [[objectName(name, id, variantId), replicas] as const],
  );
  return new Map(pins);
}

/** Whether a router is configured for these Deployments and no others. */
export function sendsTo(router: ObservedDeployment, to: readonly string[]): boolean {
  return router.metadata.annotations?.[ROUTES_TO] === listOf(to);
}

const listOf = (entries: readonly string[]): string => entries.toSorted().join(',');
