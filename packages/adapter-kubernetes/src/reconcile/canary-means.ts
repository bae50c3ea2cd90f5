/**
 * Means by which a canary router gets its fraction of the requests. `router`: the serving router forwards them, and each
 * step restarts it. In a service mesh, the proxies of the clients share the requests by the weights of a route, and no
 * pod restarts: `http-route` (Gateway API) or `virtual-service` (Istio). The means of a canary is annotated on its
 * Deployment, so that it never changes unnoticed.
 */
import type { KubeObject } from '../api/kube-object.js';
import { labelsOf, objectName, selectorOf } from '../cluster/object-names.js';
import { isCanaryRouter, isRouter, type ObservedDeployment, routerOf } from '../cluster/observed-objects.js';
import { rolloutState } from '../cluster/rollout-state.js';
import { type CanaryMeans, canaryMeans, MEANS } from '../observe/mesh.js';
import type { DestinationRule, HttpRoute, VirtualService } from '../render/mesh-types.js';
import { ROUTER_PORT } from '../render/router.js';
import { canaryName, canaryUrl, SHARE, shareOf, withShare } from './canary-router.js';
import type { ObservedPipeline } from './reconciliation.js';

/** The share of a canary router now. */
export interface CanarySplit {
  readonly means: CanaryMeans;
  readonly fraction: number;
  /** True if the requests are shared so, as far as the cluster shows. */
  isInForce(fraction: number): boolean;
  /** Objects that give the canary router this fraction of the requests. */
  give(fraction: number): readonly KubeObject[];
}

/**
 * Means of the canary that exists, or of a new one. A route would share the requests of all routers, but a canary router
 * has the pods for those of one. So with several routers, the first forwards requests.
 */
export function meansOf(view: ObservedPipeline, next: ObservedDeployment | undefined): CanaryMeans {
  const found = view.children.some((child) => routerOf(child) > 0) ? undefined : view.mesh?.means;
  if (next === undefined) return found ?? 'router';
  const recorded = canaryMeans.find((each) => each === next.metadata.annotations?.[MEANS]);
  return found === undefined ? 'router' : (recorded ?? 'router');
}

export function splitOf(
  view: ObservedPipeline,
  live: ReadonlyMap<string, ObservedDeployment>,
  liveRouter: ObservedDeployment,
): CanarySplit {
  const pipeline = view.pipeline.metadata.name;
  const means = meansOf(view, live.get(canaryName(pipeline)));
  return means === 'router' ? routerSplit(view, liveRouter) : meshSplit(view, liveRouter, means);
}

function routerSplit({ pipeline, pods }: ObservedPipeline, liveRouter: ObservedDeployment): CanarySplit {
  const url = canaryUrl(pipeline.metadata.name);
  return {
    means: 'router',
    fraction: shareOf(liveRouter.spec.template),
    isInForce: (fraction) =>
      rolloutState(liveRouter).kind === 'complete' && pods.filter(isRouter).every((pod) => shareOf(pod) === fraction),
    give: (fraction) => [withShare(liveRouter, fraction === 0 ? undefined : { url, fraction })],
  };
}

function meshSplit(
  { pipeline, children }: ObservedPipeline,
  liveRouter: ObservedDeployment,
  means: Exclude<CanaryMeans, 'router'>,
): CanarySplit {
  const { kind } = routeKinds[means];
  const route = children.find((child) => child.kind === kind && isCanaryRouter(child));
  const fraction = route === undefined ? 0 : shareOf(route);
  return {
    means,
    fraction,
    isInForce: (wanted) => rolloutState(liveRouter).kind === 'complete' && fraction === wanted,
    give: (wanted) => {
      if (wanted === 0 && route === undefined) return [];
      const hosts = hostsOf(pipeline.metadata.name, liveRouter);
      if (means === 'http-route') return [httpRoute(hosts, wanted)];
      const rules = destinationRules(hosts);
      // A route to a subset that the proxies do not know yet answers 503.
      const areKnown = rules.every(({ metadata: { name } }) =>
        children.some((child) => child.kind === 'DestinationRule' && child.metadata.name === name),
      );
      return areKnown ? [...rules, virtualService(hosts, wanted)] : rules;
    },
  };
}

const routeKinds = {
  'http-route': { kind: 'HTTPRoute' },
  'virtual-service': { kind: 'VirtualService' },
} as const;

const ROUTE_KINDS: readonly string[] = Object.values(routeKinds).map(({ kind }) => kind);

const isRoute = (child: KubeObject): boolean => isCanaryRouter(child) && ROUTE_KINDS.includes(child.kind);

/** True for objects that no route leads to: a route is removed before its subsets and its canary router. */
export const mayBeRemoved =
  (children: readonly KubeObject[]) =>
  (child: { readonly kind: string; readonly metadata: KubeObject['metadata'] }): boolean =>
    isRoute(child as KubeObject) || !isCanaryRouter(child as KubeObject) || !children.some(isRoute);

/** Time between passes while objects of a mesh exist: they are not watched. */
export const UNWATCHED_MS = 1_000;

/** Services of both routers, and the metadata of objects between them. */
interface RouteHosts {
  readonly serving: string;
  readonly canary: string;
  readonly pipeline: string;
  readonly metadata: Pick<KubeObject['metadata'], 'namespace' | 'ownerReferences'>;
}

function hostsOf(pipeline: string, { metadata }: ObservedDeployment): RouteHosts {
  const { name: serving, namespace, ownerReferences } = metadata;
  return {
    serving,
    canary: canaryName(pipeline),
    pipeline,
    metadata: { ...(namespace !== undefined && { namespace }), ...(ownerReferences && { ownerReferences }) },
  };
}

const percentOf = (fraction: number): number => Math.round(100 * fraction);

function routeMetadata({ canary, pipeline, metadata }: RouteHosts, fraction: number): KubeObject['metadata'] {
  const labels = labelsOf(pipeline, { kind: 'next' });
  return { ...metadata, name: canary, labels, annotations: { [SHARE]: String(fraction) } };
}

/** A route of the mesh: its parent is the Service of the pipeline. */
export function httpRoute(hosts: RouteHosts, fraction: number): HttpRoute {
  const { serving, canary } = hosts;
  const percent = percentOf(fraction);
  const service = { group: '', kind: 'Service' } as const;
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: routeMetadata(hosts, fraction),
    spec: {
      parentRefs: [{ ...service, name: serving, port: ROUTER_PORT }],
      rules: [
        {
          backendRefs: [
            { ...service, name: serving, port: ROUTER_PORT, weight: 100 - percent },
            { ...service, name: canary, port: ROUTER_PORT, weight: percent },
          ],
        },
      ],
    },
  };
}

const SERVING_SUBSET = 'serving';
const CANARY_SUBSET = 'canary';

/** Retries are off: a dropped request (503) would come again and make an overload worse. */
export function virtualService(hosts: RouteHosts, fraction: number): VirtualService {
  const { serving, canary } = hosts;
  const percent = percentOf(fraction);
  const port = { number: ROUTER_PORT };
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: routeMetadata(hosts, fraction),
    spec: {
      hosts: [serving],
      http: [
        {
          route: [
            { destination: { host: serving, subset: SERVING_SUBSET, port }, weight: 100 - percent },
            { destination: { host: canary, subset: CANARY_SUBSET, port }, weight: percent },
          ],
          retries: { attempts: 0 },
        },
      ],
    },
  };
}

export function destinationRules(hosts: RouteHosts): readonly DestinationRule[] {
  const { serving, canary, pipeline, metadata } = hosts;
  const labels = labelsOf(pipeline, { kind: 'next' });
  const rule = (name: string, host: string, subset: string, part: 'router' | 'next'): DestinationRule => ({
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: { ...metadata, name, labels },
    spec: { host, subsets: [{ name: subset, labels: selectorOf(pipeline, { kind: part }) }] },
  });
  return [
    rule(objectName(pipeline, 'serving'), serving, SERVING_SUBSET, 'router'),
    rule(canary, canary, CANARY_SUBSET, 'next'),
  ];
}
