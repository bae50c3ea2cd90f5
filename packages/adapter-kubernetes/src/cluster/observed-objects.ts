/** What the operator reads: the fields of the objects of a cluster that a reconciliation looks at. */
import { API_VERSION, PIPELINE_KIND } from '@equipoise/pipeline-file';
import type { KubeObject, ResourceType } from '../api/kube-object.js';
import type { InferencePipelineStatus } from '../crd/status-schema.js';
import { LABEL_PREFIX } from './object-names.js';

const [group = '', version = ''] = API_VERSION.split('/');

/** The custom resource; `spec` is that of a pipeline file. */
export interface InferencePipeline extends KubeObject {
  readonly spec: unknown;
  readonly status?: InferencePipelineStatus;
}

/** A Deployment as it is. */
export interface ObservedDeployment extends KubeObject {
  readonly spec: {
    readonly replicas?: number;
    readonly template: {
      readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> };
      readonly spec?: ObservedPodSpec;
    };
  };
  readonly status?: {
    readonly observedGeneration?: number;
    /** All pods that are not going away, of the old template too. */
    readonly replicas?: number;
    readonly updatedReplicas?: number;
    readonly readyReplicas?: number;
    readonly availableReplicas?: number;
    readonly conditions?: readonly ObservedCondition[];
  };
}

/** What pods ask for. */
interface ObservedPodSpec {
  readonly containers: readonly {
    readonly resources?: { readonly requests?: Readonly<Record<string, string>> };
  }[];
}

/** A pod as it is. */
export interface ObservedPod extends KubeObject {
  readonly spec?: ObservedPodSpec;
  readonly status?: {
    readonly phase?: string;
    /** Missing before it runs. */
    readonly podIP?: string;
    readonly conditions?: readonly ObservedCondition[];
    readonly containerStatuses?: readonly ObservedContainer[];
    readonly initContainerStatuses?: readonly ObservedContainer[];
  };
}

export interface ObservedCondition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

export interface ObservedContainer {
  readonly name: string;
  readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } };
}

const named = <T extends KubeObject>(
  api: readonly [string, string],
  kind: string,
  plural: string,
): ResourceType<T> => ({
  group: api[0],
  version: api[1],
  kind,
  plural,
  namespaced: true,
});

export const pipelines = named<InferencePipeline>([group, version], PIPELINE_KIND, 'inferencepipelines');
export const deployments = named<ObservedDeployment>(['apps', 'v1'], 'Deployment', 'deployments');
export const pods = named<ObservedPod>(['', 'v1'], 'Pod', 'pods');

/** The resources that a rendered pipeline consists of, by kind. */
export const childTypes: Readonly<Record<string, ResourceType>> = Object.fromEntries(
  [
    named(['', 'v1'], 'ServiceAccount', 'serviceaccounts'),
    named(['', 'v1'], 'ConfigMap', 'configmaps'),
    named(['', 'v1'], 'Service', 'services'),
    deployments,
    named(['policy', 'v1'], 'PodDisruptionBudget', 'poddisruptionbudgets'),
    named(['networking.k8s.io', 'v1'], 'NetworkPolicy', 'networkpolicies'),
  ].map((type) => [type.kind, type]),
);

const partOf = ({ metadata }: KubeObject): string | undefined => metadata.labels?.[`${LABEL_PREFIX}/part`];

/** Whether an object belongs to a variant of a stage. */
export const isStage = (object: KubeObject): boolean => partOf(object) === 'stage';

/** Whether an object belongs to the router of a pipeline. */
export const isRouter = (object: KubeObject): boolean => partOf(object) === 'router';

/** Whether an object belongs to the router of a plan that is being tried. */
export const isNext = (object: KubeObject): boolean => partOf(object) === 'next';

/** Whether a pod has ended for good, as one that was evicted has: it holds nothing, and its address may be another's by now. */
export const hasEnded = ({ status }: ObservedPod): boolean => ['Failed', 'Succeeded'].includes(status?.phase ?? '');

/** Whether a pod takes requests. */
export const isReady = ({ status }: ObservedPod): boolean =>
  status?.conditions?.some(({ type, status: holds }) => type === 'Ready' && holds === 'True') ?? false;
