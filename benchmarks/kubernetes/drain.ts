/** `kubectl drain` of a node with both routers of a pipeline. The nodes are objects without containers. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HttpKubeApi } from '../../packages/adapter-kubernetes/src/api/http/http-kube-api.js';
import { kubeConnection } from '../../packages/adapter-kubernetes/src/api/http/kube-connection.js';
import { eventually } from '../../packages/adapter-kubernetes/src/test-cluster/cluster-objects.test-support.js';
import { FakeKubelet } from '../../packages/adapter-kubernetes/src/test-cluster/fake-kubelet.test-support.js';
import { isReady, NodeWorkload, routerPods } from './node-workload.js';
import type { RoutersQuestion } from './routers.js';
import { placedPipeline, ROUTERS_IMAGE } from './routers-pipeline.js';

export interface DrainFigures {
  /** Time until a new pod is ready. */
  readonly startS: number;
  readonly drainS: number;
  /** Of the two routers, during the drain. */
  readonly fewestReady: number;
  /** Evictions that the API server refused. */
  readonly refusedEvictions: number;
}

const LABEL = 'equipoise.dev/bench-drain';
const NODES = ['drained-1', 'drained-2'] as const;
const START_MS = 8_000;
const HEARTBEAT_MS = 5_000;

export async function measureDrain({ kubeconfig, arrivalRps }: RoutersQuestion): Promise<DrainFigures> {
  const source = { kind: 'file', path: kubeconfig } as const;
  const api = new HttpKubeApi(await kubeConnection(source, { nowMs: () => performance.now() }));
  const pipeline = placedPipeline(LABEL);
  const workload = new NodeWorkload({ kubeconfig, namespace: 'drained', pipeline, image: ROUTERS_IMAGE });
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-drain-'));
  const nodes = NODES.map((name) => ({ name, kubelet: new FakeKubelet(api, name) }));
  const heartbeat = setInterval(() => void Promise.all(NODES.map((name) => beat(workload, name))), HEARTBEAT_MS);
  try {
    for (const { name, kubelet } of nodes) {
      await kubelet.start();
      await beat(workload, name);
      await workload.kube('label', 'node', name, `${LABEL}=yes`);
    }
    await workload.create();
    await workload.kube('cordon', NODES[1]);
    await workload.apply(await workload.plan(join(folder, 'plan.json'), arrivalRps, { routers: 2, replicas: 1 }));
    await workload.kube('uncordon', NODES[1]);
    for (const { kubelet } of nodes) kubelet.fateOf = () => ({ kind: 'ready', afterMs: START_MS });
    return await drained(workload);
  } finally {
    await workload.remove();
    clearInterval(heartbeat);
    for (const { kubelet } of nodes) await kubelet.stop();
    await workload.kube('delete', 'node', ...NODES, '--ignore-not-found');
    rmSync(folder, { recursive: true, force: true });
  }
}

async function drained(workload: NodeWorkload): Promise<DrainFigures> {
  const beganMs = performance.now();
  const flags = ['--ignore-daemonsets', '--delete-emptydir-data', '--timeout=300s'];
  let drainS: number | undefined;
  let fewestReady = Number.POSITIVE_INFINITY;
  const draining = workload.run('drain', NODES[0], ...flags).then(({ exitCode, stderr }) => {
    if (exitCode !== 0) throw new Error(stderr);
    drainS = (performance.now() - beganMs) / 1000;
    return stderr.split('\n').filter((line) => line.includes('disruption budget')).length;
  });
  await Promise.all([
    draining,
    eventually(async () => {
      fewestReady = Math.min(fewestReady, (await workload.pods(routerPods())).filter(isReady).length);
      return drainS !== undefined;
    }),
  ]);
  await workload.planRuns();
  return { startS: START_MS / 1000, drainS: drainS ?? Number.NaN, fewestReady, refusedEvictions: await draining };
}

/** Without its heartbeat, the controller manager would mark the node as unreachable. */
async function beat(workload: NodeWorkload, name: string): Promise<void> {
  const spec = {
    holderIdentity: name,
    leaseDurationSeconds: 40,
    renewTime: new Date().toISOString().replace('Z', '000Z'),
  };
  const metadata = { name, namespace: 'kube-node-lease' };
  const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec };
  await workload.send(lease, '--namespace', metadata.namespace, 'apply', '--filename', '-');
}
