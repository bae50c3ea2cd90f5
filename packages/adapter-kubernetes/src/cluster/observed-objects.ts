import { API_VERSION, PIPELINE_KIND } from '@equipoise/pipeline-file';
import type { KubeObject, ResourceType } from '../api/kube-object.js';
import type { InferencePipelineStatus } from '../crd/status-schema.js';
import { LABEL_PREFIX } from './object-names.js';

/** A pipeline object; `spec` has the form of a pipeline file. */
export interface InferencePipeline extends KubeObject {
  readonly spec: unknown;
  readonly status?: InferencePipelineStatus;
}

export interface ObservedDeployment extends KubeObject {
  readonly spec: {
    readonly replicas?: number;
    readonly paused?: boolean;
    readonly template: {
      readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> };
      readonly spec?: ObservedPodSpec;
    };
  };
  readonly status?: {
    readonly observedGeneration?: number;
    /** Replicas of all templates, without terminating pods. */
    readonly replicas?: number;
    readonly updatedReplicas?: number;
    readonly readyReplicas?: number;
    readonly availableReplicas?: number;
    readonly conditions?: readonly ObservedCondition[];
  };
}

interface ObservedPodSpec {
  readonly nodeName?: string;
  readonly initContainers?: readonly { readonly name?: string }[];
  readonly containers: readonly {
    readonly name?: string;
    readonly resources?: { readonly requests?: Readonly<Record<string, string>> };
  }[];
}

export interface ObservedPod extends KubeObject {
  readonly spec?: ObservedPodSpec;
  readonly status?: {
    readonly phase?: string;
    /** Why a node ended the pod. */
    readonly reason?: string;
    readonly message?: string;
    readonly podIP?: string;
    readonly conditions?: readonly ObservedCondition[];
    readonly containerStatuses?: readonly ObservedContainer[];
    readonly initContainerStatuses?: readonly ObservedContainer[];
  };
}

export interface ObservedNode extends KubeObject {
  readonly status?: { readonly conditions?: readonly ObservedCondition[] };
}

export interface ObservedCondition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

export interface ObservedContainer {
  readonly name: string;
  readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } };
  /** State before the last restart. */
  readonly lastState?: { readonly terminated?: { readonly reason?: string; readonly finishedAt?: string } };
  readonly restartCount?: number;
}

function resource<T extends KubeObject>(apiVersion: string, kind: string, plural: string): ResourceType<T> {
  const [first = '', second] = apiVersion.split('/');
  return { group: second === undefined ? '' : first, version: second ?? first, kind, plural, namespaced: true };
}

export const pipelines = resource<InferencePipeline>(API_VERSION, PIPELINE_KIND, 'inferencepipelines');
export const deployments = resource<ObservedDeployment>('apps/v1', 'Deployment', 'deployments');
export const pods = resource<ObservedPod>('v1', 'Pod', 'pods');
export const nodes: ResourceType<ObservedNode> = {
  ...resource<ObservedNode>('v1', 'Node', 'nodes'),
  namespaced: false,
};

const byKind = (types: readonly ResourceType[]): Readonly<Record<string, ResourceType>> =>
  Object.fromEntries(types.map((type) => [type.kind, type]));

export const childTypes = byKind([
  resource('v1', 'ServiceAccount', 'serviceaccounts'),
  resource('v1', 'ConfigMap', 'configmaps'),
  resource('v1', 'Service', 'services'),
  deployments,
  resource('policy/v1', 'PodDisruptionBudget', 'poddisruptionbudgets'),
  resource('networking.k8s.io/v1', 'NetworkPolicy', 'networkpolicies'),
]);

/** Objects in a service mesh. They are not watched, because the cluster may not serve them. */
export const meshTypes = byKind([
  resource('gateway.networking.k8s.io/v1', 'HTTPRoute', 'httproutes'),
  resource('networking.istio.io/v1', 'VirtualService', 'virtualservices'),
  resource('networking.istio.io/v1', 'DestinationRule', 'destinationrules'),
]);

/** Objects of engines. A cluster need not have their definitions. */
export const engineTypes: readonly ResourceType[] = [
  resource('serving.kserve.io/v1beta1', 'InferenceService', 'inferenceservices'),
  resource('machinelearning.seldon.io/v1', 'SeldonDeployment', 'seldondeployments'),
  resource('mlops.seldon.io/v1alpha1', 'Server', 'servers'),
  resource('mlops.seldon.io/v1alpha1', 'Model', 'models'),
  resource('mlops.seldon.io/v1alpha1', 'Pipeline', 'pipelines'),
  resource('mlops.seldon.io/v1alpha1', 'Experiment', 'experiments'),
  resource('serving.kserve.io/v1alpha1', 'InferenceGraph', 'inferencegraphs'),
];

export const renderedTypes = byKind([...Object.values(childTypes), ...engineTypes]);

/** Objects that the operator writes. */
export const ownedTypes = { ...renderedTypes, ...meshTypes };

const PART = /^(?<kind>[a-z]+)(?:-(?<router>\d+))?$/;

const labelOfPart = ({ metadata }: KubeObject): string => metadata.labels?.[`${LABEL_PREFIX}/part`] ?? '';

const partOf = (object: KubeObject): string | undefined => PART.exec(labelOfPart(object))?.groups?.['kind'];

/** Number of the router that an object belongs to; 0 for objects that all share. */
export const routerOf = (object: KubeObject): number => Number(PART.exec(labelOfPart(object))?.groups?.['router'] ?? 0);

export const isStage = (object: KubeObject): boolean => partOf(object) === 'stage';

export const isRouter = (object: KubeObject): boolean => partOf(object) === 'router';

export const isCanaryRouter = (object: KubeObject): boolean => partOf(object) === 'next';

/** Pods that have ended hold no resources, and their address may be reused. */
export const hasEnded = ({ status }: ObservedPod): boolean => ['Failed', 'Succeeded'].includes(status?.phase ?? '');

/** Time (ms) after the end of its grace period. It covers the skew of clocks. */
const LOST_AFTER_MS = 300_000;

/**
 * True for a deleted pod whose node does not end it, because the node is dead or cut off. No Service leads to it, and it
 * stays until its node is removed, which may be never.
 */
export function isLost({ metadata: { deletionTimestamp } }: ObservedPod, nowEpochMs: number): boolean {
  return deletionTimestamp !== undefined && nowEpochMs - Date.parse(deletionTimestamp) > LOST_AFTER_MS;
}

export const isReady = ({ status }: ObservedPod): boolean =>
  status?.conditions?.some(({ type, status: holds }) => type === 'Ready' && holds === 'True') ?? false;
