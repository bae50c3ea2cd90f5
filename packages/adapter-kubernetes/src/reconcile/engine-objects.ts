/** Replicas, pods and readiness of objects of engines. */
import { OPERATOR_MANAGER } from '../api/field-managers.js';
import type { KubeObject } from '../api/kube-object.js';
import type { ObservedDeployment } from '../cluster/observed-objects.js';
import { amountOf } from '../render/quantities.js';

type Annotations = Readonly<Record<string, string>>;

interface PodFields {
  readonly containers?: readonly {
    readonly name: string;
    readonly resources?: { readonly requests?: Readonly<Record<string, string>> };
  }[];
}

interface Component {
  readonly metadata?: { readonly annotations?: Annotations };
  readonly spec?: PodFields;
  readonly replicas?: number;
}

interface EngineObject extends KubeObject {
  readonly spec: {
    readonly replicas?: number;
    readonly predictor?: PodFields & { readonly minReplicas?: number; readonly annotations?: Annotations };
    readonly predictors?: readonly { readonly replicas?: number; readonly componentSpecs?: readonly Component[] }[];
    readonly podSpec?: PodFields;
  };
}

const specOf = (object: KubeObject): EngineObject['spec'] => (object as EngineObject).spec ?? {};

export function replicasOf(object: KubeObject): number {
  const { predictor, predictors, replicas } = specOf(object);
  return predictor?.minReplicas ?? predictors?.[0]?.replicas ?? replicas ?? 1;
}

export function withReplicas(object: KubeObject, replicas: number): KubeObject {
  const spec = specOf(object);
  const { predictor, predictors } = spec;
  if (predictors !== undefined)
    return {
      ...object,
      spec: { ...spec, predictors: predictors.map((each) => ({ ...each, replicas })) },
    } as KubeObject;
  if (predictor === undefined) return { ...object, spec: { ...spec, replicas } } as KubeObject;
  const sized = { ...predictor, minReplicas: replicas, maxReplicas: replicas };
  return { ...object, spec: { ...spec, predictor: sized } } as KubeObject;
}

/** Template of the pods of a workload. */
export function podsOf(object: KubeObject): ObservedDeployment['spec']['template'] {
  const { predictor, predictors, podSpec } = specOf(object);
  const component = predictors?.[0]?.componentSpecs?.[0];
  const annotations = predictor?.annotations ?? component?.metadata?.annotations ?? {};
  const containers = (predictor ?? component?.spec ?? podSpec)?.containers ?? [];
  return { metadata: { annotations }, spec: { containers } };
}

/** Requested cores of a replica; 0 for objects without pods. */
export function coresOfReplica(object: KubeObject): number {
  const containers = podsOf(object).spec?.containers ?? [];
  return containers.reduce((sum, { resources }) => sum + amountOf(resources?.requests?.['cpu'] ?? '0'), 0);
}

/** Time of the operator's last change of an object, in ms since the epoch. */
export function changedAtMs({ metadata: { managedFields = [] } }: KubeObject): number {
  const own = managedFields.filter(
    ({ manager, subresource }) => manager === OPERATOR_MANAGER && subresource === undefined,
  );
  const times = own.map(({ time }) => Date.parse(time ?? '')).filter((epochMs) => !Number.isNaN(epochMs));
  return Math.max(Number.NEGATIVE_INFINITY, ...times);
}
