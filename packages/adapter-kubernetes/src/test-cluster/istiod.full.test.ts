/** Canaries in a mesh: what a real control plane of Istio makes of their objects, and sends to proxies. */
import { readFileSync } from 'node:fs';
import { describeWithTool } from '@equipoise/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { written } from '../api/conformance/subject.test-support.js';
import type { KubeApi } from '../api/kube-api.js';
import { type KubeObject, refTo } from '../api/kube-object.js';
import { objectName, selectorOf } from '../cluster/object-names.js';
import { ownedTypes } from '../cluster/observed-objects.js';
import { destinationRules, httpRoute, virtualService } from '../reconcile/canary-means.js';
import { canaryName } from '../reconcile/canary-router.js';
import { ROUTER_PORT } from '../render/router.js';
import { eventually, newNamespace } from './cluster-objects.test-support.js';
import { ControlPlane } from './control-plane.test-support.js';
import {
  clusterNames,
  encryptedClusters,
  type RoutedCluster,
  routedClusters,
} from './discovery-client.test-support.js';
import { defineMesh, Istiod, istiod } from './istiod.test-support.js';
import { kubeBinariesFolder } from './kube-binaries.test-support.js';

const CANARIES = Array.from({ length: 10 }, (_, index) => ({
  means: index % 2 === 0 ? ('http-route' as const) : ('virtual-service' as const),
  pipeline:
    index < 8 ? `shelf-${index}` : `a-pipeline-with-a-name-that-does-not-fit-into-a-label-of-kubernetes-${index}`,
}));

describeWithTool(istiod, 'canaries in the mesh of a real istiod', () => {
  let plane: ControlPlane;
  let mesh: Istiod;
  let api: KubeApi;
  let namespace: string;

  beforeAll(async () => {
    plane = await ControlPlane.start(kubeBinariesFolder());
    api = await plane.api();
    await defineMesh(api);
    await newNamespace(api);
    namespace = await newNamespace(api);
    mesh = await Istiod.start(plane.kubeconfig());
  }, 300_000);

  afterAll(async () => {
    await mesh?.stop();
    await plane?.stop();
  }, 60_000);

  async function apply(object: KubeObject): Promise<void> {
    const type = ownedTypes[object.kind];
    if (type === undefined) throw new Error(object.kind);
    const placed = { ...object, metadata: { ...object.metadata, namespace } };
    written(await api.apply(type, placed, { fieldManager: 'test', force: true, isStrict: true }));
  }

  async function remove(object: KubeObject): Promise<void> {
    const type = ownedTypes[object.kind];
    if (type === undefined) throw new Error(object.kind);
    await api.delete({ ...refTo(type, object), namespace });
  }

  const service = (pipeline: string, name: string, part: 'router' | 'next') => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: {
      selector: selectorOf(pipeline, { kind: part }),
      ports: [{ name: 'http', port: ROUTER_PORT, targetPort: 'http' }],
    },
  });

  it('routes to the pods of a stage by the name of its Service, and encrypts with the shipped rule', async () => {
    const proxy = { namespace, address: '10.244.9.9', labels: { 'app.kubernetes.io/name': 'equipoise' } };
    const [stage, port] = ['a-stage', 9_090];
    const headless = { clusterIP: 'None', selector: { app: stage }, ports: [{ name: 'http', port }] };
    await apply({ apiVersion: 'v1', kind: 'Service', metadata: { name: stage }, spec: headless } as KubeObject);
    const cluster = `outbound|${port}||${stage}.${namespace}.svc.cluster.local`;
    const wanted = JSON.stringify([{ cluster, weight: 100 }]);
    // The router's Host header, without the port, which proxies ignore.
    await eventually(
      async () => JSON.stringify(await routedClusters(mesh.url, proxy, { port, host: stage })) === wanted,
    );
    expect(await encryptedClusters(mesh.url, proxy)).not.toContain(cluster);
    const rule = readFileSync(new URL('../../../../deploy/istio/destination-rule.yaml', import.meta.url), 'utf8');
    await apply(parse(rule) as KubeObject);
    await eventually(async () => (await encryptedClusters(mesh.url, proxy)).includes(cluster));
    await remove(parse(rule) as KubeObject);
    await eventually(async () => !(await encryptedClusters(mesh.url, proxy)).includes(cluster));
  }, 500_000);

  it.each(CANARIES)(
    'shares requests by $means, and takes them back, for $pipeline',
    async ({ means, pipeline }) => {
      const hosts = { pipeline, serving: objectName(pipeline), canary: canaryName(pipeline), metadata: {} };
      const proxy = { namespace, address: '10.244.9.9' };
      const domain = (name: string) => `${name}.${namespace}.svc.cluster.local`;
      const routed = () => routedClusters(mesh.url, proxy, { port: ROUTER_PORT, host: domain(hosts.serving) });
      const shows = (wanted: readonly RoutedCluster[]) =>
        eventually(async () => JSON.stringify(await routed()) === JSON.stringify(wanted));
      const cluster = (name: string, subset: string) => `outbound|${ROUTER_PORT}|${subset}|${domain(name)}`;
      const alone = [{ cluster: cluster(hosts.serving, ''), weight: 100 }];
      const subsets = means === 'http-route' ? ['', ''] : ['serving', 'canary'];
      const [serving, canary] = [cluster(hosts.serving, subsets[0] ?? ''), cluster(hosts.canary, subsets[1] ?? '')];
      const shared = (percent: number) => [
        { cluster: serving, weight: 100 - percent },
        { cluster: canary, weight: percent },
      ];

      await apply(service(pipeline, hosts.serving, 'router'));
      await apply(service(pipeline, hosts.canary, 'next'));
      await shows(alone);
      const rules = means === 'http-route' ? [] : destinationRules(hosts);
      for (const rule of rules) await apply(rule);
      await eventually(async () => {
        const names = await clusterNames(mesh.url, proxy);
        return [serving, canary].every((name) => names.includes(name));
      });
      const route = means === 'http-route' ? httpRoute : virtualService;
      for (const fraction of [0.1, 0.5]) {
        await apply(route(hosts, fraction));
        await shows(shared(100 * fraction));
      }
      await remove(route(hosts, 0));
      await shows(alone);
      for (const rule of rules) await remove(rule);
      await shows(alone);
      expect(await routed()).toEqual(alone);
    },
    500_000,
  );
});
