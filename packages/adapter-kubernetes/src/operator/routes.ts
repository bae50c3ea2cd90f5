/** What a router sends to, as annotations of its Deployment: so it is read from the cluster. */
import type { KubeObject } from '../api/kube-object.js';
import { LABEL_PREFIX } from '../render/object-names.js';
import type { ObservedDeployment } from './observed-objects.js';

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

/** Whether a router is configured for these Deployments and no others. */
export function sendsTo(router: ObservedDeployment, to: readonly string[]): boolean {
  return router.metadata.annotations?.[ROUTES_TO] === listOf(to);
}

const listOf = (entries: readonly string[]): string => entries.toSorted().join(',');
