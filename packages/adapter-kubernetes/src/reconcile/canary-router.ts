import { isDeepStrictEqual } from 'node:util';
import { OWN_MANAGERS } from '../api/field-managers.js';
import type { KubeObject } from '../api/kube-object.js';
import { ownedFields } from '../api/owned-fields.js';
import { LABEL_PREFIX, labelsOf, objectName, selectorOf } from '../cluster/object-names.js';
import { isRouter, isStage, type ObservedDeployment } from '../cluster/observed-objects.js';
import {
  type Deployment,
  type NetworkPolicy,
  type PodSpec,
  pauseSecondsOf,
  type Service,
} from '../render/manifest-types.js';
import { LEAVE_S } from '../render/pod-template.js';
import { ROUTER_PORT } from '../render/router.js';
import { type Routes, withRoutes } from './routes.js';

/** The canary router runs the new plan. The serving router forwards a fraction of the requests to it. */

const CANARY_PART = { kind: 'next' } as const;

export const canaryName = (pipeline: string): string => objectName(pipeline, 'next');

export const canaryUrl = (pipeline: string): string => `http://${canaryName(pipeline)}:${ROUTER_PORT}`;

export function canaryObjects(
  pipeline: string,
  wanted: readonly KubeObject[],
  { routes, annotations }: { readonly routes: Routes; readonly annotations: Readonly<Record<string, string>> },
): readonly KubeObject[] {
  const annotated = (object: KubeObject): KubeObject => {
    const { metadata } = object;
    return { ...object, metadata: { ...metadata, annotations: { ...metadata.annotations, ...annotations } } };
  };
  return wanted.filter(isRouter).flatMap((object) => {
    const named = { ...object, metadata: { ...object.metadata, name: canaryName(pipeline), labels: labels(pipeline) } };
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
        return [
          annotated(withRoutes({ ...named, spec: specOf(pipeline, object as Deployment) } as KubeObject, routes)),
        ];
      default:
        // Only the serving router uses this pod, so evictions need no bound.
        return [];
    }
  });
}

export function admitCanaryRouter(pipeline: string, object: KubeObject): KubeObject {
  if (object.kind !== 'NetworkPolicy' || !isStage(object)) return object;
  const { spec, ...rest } = object as NetworkPolicy;
  // The first rule admits the router.
  const ingress = spec.ingress.map((rule, index) =>
    index === 0 ? { ...rule, from: [...(rule.from ?? []), peer(pipeline)] } : rule,
  );
  return { ...rest, spec: { ...spec, ingress } } as KubeObject;
}

export function reachCanaryRouter(pipeline: string, children: readonly KubeObject[]): readonly KubeObject[] {
  const policy = children.find((child) => child.kind === 'NetworkPolicy' && isRouter(child)) as
    | NetworkPolicy
    | undefined;
  if (policy === undefined) return [];
  const own = ownPartOf(policy);
  const way = { to: [peer(pipeline)], ports: [{ protocol: 'TCP' as const, port: ROUTER_PORT }] };
  const others = policy.spec.egress.filter((rule) => !isDeepStrictEqual(rule.to, way.to));
  return [{ ...own, spec: { ...own.spec, egress: [...others, way] } } as KubeObject];
}

/** The fields that Equipoise owns, so that an apply takes no field of others. The whole spec if no owner is recorded. */
export function ownPartOf<T extends KubeObject>(live: T): T {
  const { apiVersion, kind, metadata, ...rest } = live;
  const { name, namespace, labels: own, ownerReferences } = metadata;
  const plain = {
    name,
    ...(namespace !== undefined && { namespace }),
    ...(own && { labels: own }),
    ...(ownerReferences && { ownerReferences }),
  };
  const { status: _, ...spec } = rest as { readonly status?: unknown };
  return ownedFields(live, OWN_MANAGERS) ?? ({ ...spec, apiVersion, kind, metadata: plain } as unknown as T);
}

const labels = (pipeline: string) => labelsOf(pipeline, CANARY_PART);
const selector = (pipeline: string) => selectorOf(pipeline, CANARY_PART);
const peer = (pipeline: string) => ({ podSelector: { matchLabels: selector(pipeline) } });

function specOf(pipeline: string, { spec }: Deployment): Deployment['spec'] {
  const { template } = spec;
  const matchLabels = selector(pipeline);
  const config = canaryName(pipeline);
  return {
    ...spec,
    selector: { matchLabels },
    template: {
      metadata: { ...template.metadata, labels: labels(pipeline) },
      spec: {
        ...leavingSoon(template.spec),
        topologySpreadConstraints: template.spec.topologySpreadConstraints.map((constraint) => ({
          ...constraint,
          labelSelector: { matchLabels },
        })),
        volumes: template.spec.volumes.map((volume) =>
          'configMap' in volume ? { ...volume, configMap: { ...volume.configMap, name: config } } : volume,
        ),
      },
    },
  };
}

/**
 * Only the serving router sends to the canary router, and no pod of the serving router does when the canary router is
 * removed. So it waits for no replacement, unlike the serving router.
 */
function leavingSoon(spec: PodSpec): PodSpec {
  const [router, ...beside] = spec.containers;
  if (router === undefined) return spec;
  const preStop = router.lifecycle?.preStop;
  const sparedS = preStop === undefined ? 0 : Math.max(0, pauseSecondsOf(preStop) - LEAVE_S);
  return {
    ...spec,
    terminationGracePeriodSeconds: spec.terminationGracePeriodSeconds - sparedS,
    containers: [{ ...router, lifecycle: { preStop: { sleep: { seconds: LEAVE_S } } } }, ...beside],
  };
}

export const SHARE = `${LABEL_PREFIX}/share`;

const FLAGS = ['--share-with', '--share'];

/** Share of the canary router; 0 < fraction ≤ 1. */
export interface CanaryShare {
  readonly url: string;
  readonly fraction: number;
}

/** Fraction sent to the canary router; default 0. */
export function shareOf({ metadata }: { readonly metadata?: Pick<KubeObject['metadata'], 'annotations'> }): number {
  return Number(metadata?.annotations?.[SHARE] ?? 0);
}

/** `undefined` removes the share. */
export function withShare(live: ObservedDeployment, share: CanaryShare | undefined): KubeObject {
  const own = ownPartOf(live);
  const { metadata } = live;
  // Others may have taken the fields of the container over.
  const [ownRouter] = (own as unknown as Partial<Deployment>).spec?.template?.spec?.containers ?? [];
  const { spec } = (ownRouter?.args === undefined ? live : own) as unknown as Deployment;
  const { template } = spec;
  const { [SHARE]: _, ...others } = template.metadata.annotations ?? {};
  const annotations = { ...others, ...(share && { [SHARE]: String(share.fraction) }) };
  const [router, ...beside] = template.spec.containers;
  if (router === undefined) return live;
  const args = [...withoutShare(router.args ?? []), ...argumentsOf(share)];
  const named = Object.entries(own.metadata.annotations ?? metadata.annotations ?? {}).filter(([name]) =>
    name.startsWith(`${LABEL_PREFIX}/`),
  );
  return {
    ...own,
    metadata: { ...own.metadata, annotations: Object.fromEntries(named) },
    spec: {
      ...spec,
      template: {
        ...template,
        metadata: { ...template.metadata, annotations },
        spec: { ...template.spec, containers: [{ ...router, args }, ...beside] },
      },
    },
  } as KubeObject;
}

function argumentsOf(share: CanaryShare | undefined): readonly string[] {
  const values = share === undefined ? [] : [share.url, String(share.fraction)];
  return values.flatMap((value, index) => [FLAGS[index] ?? '', value]);
}

function withoutShare(args: readonly string[]): readonly string[] {
  return args.filter((arg, index) => !FLAGS.includes(arg) && !FLAGS.includes(args[index - 1] ?? ''));
}
