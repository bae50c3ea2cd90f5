/**
 * The router of a plan that is being tried: it stands beside the one that serves, which gives it a share of the requests. It is the router of
 * that plan under another name; no Service of the pipeline leads to it but that of its own.
 */
import { isDeepStrictEqual } from 'node:util';
import type { KubeObject } from '../api/kube-object.js';
import { labelsOf, objectName, selectorOf } from '../cluster/object-names.js';
import { isRouter, isStage } from '../cluster/observed-objects.js';
import type { Deployment, NetworkPolicy, Service } from '../render/manifest-types.js';
import { ROUTER_PORT } from '../render/router.js';
import { type Routes, withRoutes } from './routes.js';

const NEXT = { kind: 'next' } as const;

/** Name of all objects of the router that is tried. */
export const nextName = (pipeline: string): string => objectName(pipeline, 'next');

/** Where the router that serves reaches it. */
export const nextUrl = (pipeline: string): string => `http://${nextName(pipeline)}:${ROUTER_PORT}`;

/** Its objects, from those of a plan. */
export function nextObjects(pipeline: string, wanted: readonly KubeObject[], routes: Routes): readonly KubeObject[] {
  return wanted.filter(isRouter).flatMap((object) => {
    const named = { ...object, metadata: { ...object.metadata, name: nextName(pipeline), labels: labels(pipeline) } };
    switch (object.kind) {
      case 'ConfigMap':
        return [named];
      case 'Service':
        return [{ ...named, spec: { ...(object as Service).spec, selector: selector(pipeline) } } as KubeObject];
      case 'NetworkPolicy': {
        const podSelector = { matchLabels: selector(pipeline) };
        return [{ ...named, spec: { ...(object as NetworkPolicy).spec, podSelector } } as KubeObject];
      }
      case 'Deployment':
        return [withRoutes({ ...named, spec: specOf(pipeline, object as Deployment) } as KubeObject, routes)];
      default:
        // One pod that nobody but the other router sends to needs no bound on evictions.
        return [];
    }
  });
}

/** The network policy of a stage with the router that is tried among those who may send to it; any other object as it is. */
export function admittingNext(pipeline: string, object: KubeObject): KubeObject {
  if (object.kind !== 'NetworkPolicy' || !isStage(object)) return object;
  const { spec, ...rest } = object as NetworkPolicy;
  const ingress = spec.ingress.map((rule) => ({ ...rule, from: [...(rule.from ?? []), peer(pipeline)] }));
  return { ...rest, spec: { ...spec, ingress } } as KubeObject;
}

/** The network policy of the router that serves, as it is, with the way to the one that is tried. */
export function reachingNext(pipeline: string, children: readonly KubeObject[]): readonly KubeObject[] {
  const policy = children.find((child) => child.kind === 'NetworkPolicy' && isRouter(child)) as
    | NetworkPolicy
    | undefined;
  if (policy === undefined) return [];
  const { apiVersion, kind, metadata, spec } = policy;
  const way = { to: [peer(pipeline)], ports: [{ protocol: 'TCP' as const, port: ROUTER_PORT }] };
  const others = spec.egress.filter((rule) => !isDeepStrictEqual(rule.to, way.to));
  return [
    { apiVersion, kind, metadata: plainMetadata(metadata), spec: { ...spec, egress: [...others, way] } },
  ] as never;
}

/** What of the metadata is ours to apply. */
export function plainMetadata({ name, namespace, labels: own, ownerReferences }: KubeObject['metadata']) {
  return {
    name,
    ...(namespace !== undefined && { namespace }),
    ...(own && { labels: own }),
    ...(ownerReferences && { ownerReferences }),
  };
}

const labels = (pipeline: string) => labelsOf(pipeline, NEXT);
const selector = (pipeline: string) => selectorOf(pipeline, NEXT);
const peer = (pipeline: string) => ({ podSelector: { matchLabels: selector(pipeline) } });

function specOf(pipeline: string, { spec }: Deployment): Deployment['spec'] {
  const { template } = spec;
  const matchLabels = selector(pipeline);
  const config = nextName(pipeline);
  return {
    ...spec,
    selector: { matchLabels },
    template: {
      metadata: { ...template.metadata, labels: labels(pipeline) },
      spec: {
        ...template.spec,
        topologySpreadConstraints: template.spec.topologySpreadConstraints.map((constraint) => ({
          ...constraint,
          labelSelector: { matchLabels },
        })),
        volumes: template.spec.volumes.map((volume) =>
          'configMap' in volume ? { ...volume, configMap: { name: config } } : volume,
        ),
      },
    },
  };
}
