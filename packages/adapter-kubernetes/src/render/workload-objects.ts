import type { Labels } from '../cluster/object-names.js';
import { fileDigest } from './config-files.js';
import type { ConfigMap, Deployment, PodDisruptionBudget, Service } from './manifest-types.js';
import { fileKeyOf, type PodTemplateInput, podTemplate, progressDeadlineSeconds } from './pod-template.js';

export interface Part {
  readonly name: string;
  readonly labels: Labels;
  readonly selector: Labels;
}

/** The Deployment of a workload; it starts a new pod before it stops an old one. */
export function deploymentOf(
  part: Part,
  pods: Omit<PodTemplateInput, 'labels' | 'selector'>,
  replicas: number,
): Deployment {
  const { name, labels, selector } = part;
  const { startupProbe } = pods.container;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, labels },
    spec: {
      replicas,
      progressDeadlineSeconds: startupProbe === undefined ? 600 : progressDeadlineSeconds(startupProbe),
      selector: { matchLabels: selector },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: podTemplate({ ...pods, labels, selector }),
    },
  };
}

/** A Service on the container's port; if `headless`, the sender can address each pod. */
export function serviceOf(
  { name, labels, selector }: Part,
  port: { readonly number: number; readonly name: string },
  headless: boolean,
): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, labels },
    spec: {
      ...(headless && { clusterIP: 'None' }),
      selector,
      ports: [{ name: port.name, port: port.number, targetPort: port.name }],
    },
  };
}

/** Allows evictions of one pod at a time; unready pods do not block them. */
export function disruptionBudgetOf({ name, labels, selector }: Part): PodDisruptionBudget {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name, labels },
    spec: { maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow', selector: { matchLabels: selector } },
  };
}

export function configOf(
  { name, labels }: Part,
  pipelineFile: string,
): { readonly object: ConfigMap; readonly config: NonNullable<PodTemplateInput['config']> } {
  const digest = fileDigest(pipelineFile);
  const object: ConfigMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, labels },
    data: { [fileKeyOf(digest)]: pipelineFile },
  };
  return { object, config: { name, digest } };
}
