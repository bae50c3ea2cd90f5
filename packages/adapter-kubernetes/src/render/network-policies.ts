/**
 * Allowed traffic: from everywhere to the router, and from the router to the stages. Pods that fetch artifacts or use
 * external servers may reach everything.
 */

import { labelsOf, objectName, selectorOf } from '../cluster/object-names.js';
import type { NetworkPolicy } from './manifest-types.js';
import type { StageWorkload } from './stage-workload.js';

type Egress = NetworkPolicy['spec']['egress'];

const names: Egress[number] = {
  to: [{ namespaceSelector: {} }],
  ports: [
    { protocol: 'UDP', port: 53 },
    { protocol: 'TCP', port: 53 },
  ],
};

const everywhere: Egress = [{}];

export function stagePolicy(pipeline: string, { name, labels, selector, port, fetches }: StageWorkload): NetworkPolicy {
  const router = selectorOf(pipeline, { kind: 'router' });
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, labels },
    spec: {
      podSelector: { matchLabels: selector },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ from: [{ podSelector: { matchLabels: router } }], ports: [{ protocol: 'TCP', port }] }],
      egress: fetches ? everywhere : [],
    },
  };
}

/** Policy of the router; `elsewhere`: the router uses external servers. */
export function routerPolicy(pipeline: string, workloads: readonly StageWorkload[], elsewhere: boolean): NetworkPolicy {
  const part = { kind: 'router' } as const;
  const toStages: Egress = workloads.map(({ selector, port }) => ({
    to: [{ podSelector: { matchLabels: selector } }],
    ports: [{ protocol: 'TCP', port }],
  }));
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: objectName(pipeline), labels: labelsOf(pipeline, part) },
    spec: {
      podSelector: { matchLabels: selectorOf(pipeline, part) },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ ports: [{ protocol: 'TCP', port: 'http' }] }],
      egress: elsewhere ? everywhere : [names, ...toStages],
    },
  };
}
