/** Where an API server keeps the kinds of objects that a plan is rendered to, engines included. */
import type { ResourceType } from '../api/kube-object.js';

const named = (group: string, version: string, kind: string, plural: string): ResourceType => ({
  ...{ group, version, kind, plural },
  namespaced: true,
});

/** By kind. */
export const renderedTypes: Readonly<Record<string, ResourceType>> = Object.fromEntries(
  [
    named('', 'v1', 'ServiceAccount', 'serviceaccounts'),
    named('', 'v1', 'ConfigMap', 'configmaps'),
    named('', 'v1', 'Service', 'services'),
    named('apps', 'v1', 'Deployment', 'deployments'),
    named('policy', 'v1', 'PodDisruptionBudget', 'poddisruptionbudgets'),
    named('networking.k8s.io', 'v1', 'NetworkPolicy', 'networkpolicies'),
    named('serving.kserve.io', 'v1beta1', 'InferenceService', 'inferenceservices'),
    named('machinelearning.seldon.io', 'v1', 'SeldonDeployment', 'seldondeployments'),
    named('mlops.seldon.io', 'v1alpha1', 'Server', 'servers'),
    named('mlops.seldon.io', 'v1alpha1', 'Model', 'models'),
  ].map((type) => [type.kind, type]),
);
