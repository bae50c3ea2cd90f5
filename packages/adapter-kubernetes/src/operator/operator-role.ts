/** What an operator may do in a namespace, and nothing beside: neither secrets nor nodes, no wildcard. */
import { API_VERSION } from '@equipoise/pipeline-file';

/** A rule of a Role. */
export interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

const [group = ''] = API_VERSION.split('/');
const read = ['get', 'list', 'watch'];
const own = [...read, 'create', 'patch', 'delete'];

/** Rules for the namespaces in which pipelines lie. */
export const pipelineRules: readonly PolicyRule[] = [
  // `update` sets and takes off the finalizer; that of `finalizers` lets children be owned where the cluster asks for it.
  { apiGroups: [group], resources: ['inferencepipelines'], verbs: [...read, 'update'] },
  { apiGroups: [group], resources: ['inferencepipelines/status'], verbs: ['patch'] },
  { apiGroups: [group], resources: ['inferencepipelines/finalizers'], verbs: ['update'] },
  { apiGroups: [''], resources: ['serviceaccounts', 'configmaps', 'services'], verbs: own },
  { apiGroups: ['apps'], resources: ['deployments'], verbs: own },
  { apiGroups: ['policy'], resources: ['poddisruptionbudgets'], verbs: own },
  { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], verbs: own },
  { apiGroups: [''], resources: ['pods'], verbs: read },
];

/** Rules for the namespace of the operator itself: the election. */
export const electionRules: readonly PolicyRule[] = [
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get', 'create', 'update'] },
];
