/**
 * Who may speak to whom: the router to the stages, everybody to the router, and nobody else to anybody. Stages whose artifacts come over
 * the network, and routers that send to servers elsewhere, may reach everything. Policies add up: one more that allows more is enough for
 * a stage that calls something of yours.
 */

import { labelsOf, objectName, selectorOf } from '../cluster/object-names.js';
import type { NetworkPolicy } from './manifest-types.js';
import type { StageWorkload } from './stage-workload.js';

type Egress = NetworkPolicy['spec']['egress'];

/** Name resolution, wherever the cluster does it. */
const names: Egress[number] = {
  to: [{ namespaceSelector: {} }],
  ports: [
    { protocol: 'UDP', port: 53 },
    { protocol: 'TCP', port: 53 },
  ],
};

const everywhere: Egress = [{}];

/** Lets only the router send to the pods of a workload. */
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

/** Lets everybody send to the router, and the router send to the stages; to everything where something that it sends to is `elsewhere`. */
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
