/**
 * Allowed traffic: from everywhere to the router, from the router to the stages, and from a pod to its replacement. Prometheus may read all metrics, and
 * the proxies of Istio may reach each other and their control plane. Pods that fetch artifacts or use external servers
 * may reach everything.
 */

import { allRouters, labelsOf, routerName, selectorOf } from '../cluster/object-names.js';
import type { NetworkPolicy } from './manifest-types.js';
import type { RouterRequest } from './render-request.js';
import { ROUTER_PORT } from './router.js';
import { isMlServerCommand, type StageWorkload } from './stage-workload.js';

type Egress = NetworkPolicy['spec']['egress'];
type Ingress = NetworkPolicy['spec']['ingress'];

/**
 * Name servers at any address: caches on the nodes (NodeLocal DNSCache) and name servers in the network of the nodes are
 * no pods that a selector matches. On OpenShift, policies see their port 5353.
 */
const names: Egress[number] = {
  ports: [53, 5353].flatMap((port) => [
    { protocol: 'UDP' as const, port },
    { protocol: 'TCP' as const, port },
  ]),
};

const everywhere: Egress = [{}];

const tcp = (...ports: readonly (number | string)[]) => ports.map((port) => ({ protocol: 'TCP' as const, port }));

/** Encrypted traffic of Istio's ambient mesh, between the nodes' proxies of two pods. */
const HBONE = 15_008;
/** Metrics of pod and sidecar, which the operator also reads. */
const MERGED_METRICS = 15_020;
/** Metrics of Istio's sidecar: merged ones, and its own. */
const SIDECAR_METRICS = [MERGED_METRICS, 15_090] as const;

/** Istio's control plane, without which a sidecar does not start. */
const meshControl: Egress[number] = {
  to: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'istio-system' } } }],
  ports: tcp(15_010, 15_012),
};

/** Probes of a kubelet, with the source address that the ambient mesh gives them. */
const meshProbes: Ingress[number] = { from: [{ ipBlock: { cidr: '169.254.7.127/32' } }] };

/** Prometheus in any namespace, by the label that its charts and its operator set. */
const scrapes = (...ports: readonly (number | string)[]): Ingress[number] => ({
  from: [{ namespaceSelector: {}, podSelector: { matchLabels: { 'app.kubernetes.io/name': 'prometheus' } } }],
  ports: tcp(...ports, ...SIDECAR_METRICS),
});

export function stagePolicy(pipeline: string, workload: StageWorkload): NetworkPolicy {
  const { name, labels, selector, port, fetches, container, asksPeers } = workload;
  const router = selectorOf(pipeline, { kind: 'router', router: workload.router });
  const ports = (container.ports ?? []).map(({ containerPort }) => containerPort);
  const peers = { to: [{ podSelector: { matchLabels: selector } }], ports: tcp(port, HBONE) };
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, labels },
    spec: {
      podSelector: { matchLabels: selector },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [
        { from: [{ podSelector: { matchLabels: router } }], ports: tcp(port, HBONE) },
        ...(asksPeers ? [{ from: peers.to, ports: peers.ports }] : []),
        scrapes(...new Set([...ports, port, ...metricsPorts(workload)])),
        meshProbes,
      ],
      egress: fetches ? everywhere : [names, meshControl, ...(asksPeers ? [peers] : [])],
    },
  };
}

const MLSERVER_METRICS = 8082;

/** MLServer has its metrics on a port of their own. */
function metricsPorts({ variant, container }: StageWorkload): readonly number[] {
  if (!isMlServerCommand(variant.server?.command)) return [];
  const given = (container.env ?? []).find(({ name }) => name === 'MLSERVER_METRICS_PORT');
  return [given !== undefined && 'value' in given ? Number(given.value) : MLSERVER_METRICS];
}

/** Policy of the router; `elsewhere`: the router uses external servers. */
export function routerPolicy(
  { spec, router, routers = 1 }: RouterRequest,
  workloads: readonly StageWorkload[],
  elsewhere: boolean,
): NetworkPolicy {
  const pipeline = spec.name;
  const part = { kind: 'router', router } as const;
  const toStages: Egress = workloads.map(({ selector, port }) => ({
    to: [{ podSelector: { matchLabels: selector } }],
    ports: tcp(port, HBONE),
  }));
  // A terminating router asks whether its Service leads to another pod.
  const toReplacement: Egress[number] = {
    to: [{ podSelector: { matchLabels: routers > 1 ? allRouters(pipeline) : selectorOf(pipeline, part) } }],
    ports: tcp(ROUTER_PORT, HBONE),
  };
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: routerName(pipeline, router), labels: labelsOf(pipeline, part) },
    spec: {
      podSelector: { matchLabels: selectorOf(pipeline, part) },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ ports: tcp('http', HBONE, MERGED_METRICS) }, scrapes('http'), meshProbes],
      egress: elsewhere ? everywhere : [names, meshControl, ...toStages, toReplacement],
    },
  };
}
