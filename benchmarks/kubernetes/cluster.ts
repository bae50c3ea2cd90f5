/** The measured cluster: a real control plane if it is built, otherwise the API server in memory. */
import { SeededRng } from '@equipoise/core/model';
import type { KubeApi } from '../../packages/adapter-kubernetes/src/api/kube-api.js';
import type { KubeObject } from '../../packages/adapter-kubernetes/src/api/kube-object.js';
import { MemoryKube } from '../../packages/adapter-kubernetes/src/api/memory/memory-kube.test-support.js';
import { MemoryKubeApi } from '../../packages/adapter-kubernetes/src/api/memory/memory-kube-api.test-support.js';
import { pipelineDefinition } from '../../packages/adapter-kubernetes/src/crd/pipeline-crd.js';
import { Operator } from '../../packages/adapter-kubernetes/src/deploy/operator.js';
import type { PlanSource } from '../../packages/adapter-kubernetes/src/plan/planning.js';
import {
  customResources,
  definitionServed,
  installOperatorRights,
  namespaceOfOperator,
  operatorAccount,
} from '../../packages/adapter-kubernetes/src/test-cluster/cluster-objects.test-support.js';
import {
  ControlPlane,
  serviceAccount,
} from '../../packages/adapter-kubernetes/src/test-cluster/control-plane.test-support.js';
import { FakeKubelet } from '../../packages/adapter-kubernetes/src/test-cluster/fake-kubelet.test-support.js';
import {
  controlPlane,
  kubeBinariesFolder,
} from '../../packages/adapter-kubernetes/src/test-cluster/kube-binaries.test-support.js';
import {
  clusterResources,
  MemoryCluster,
} from '../../packages/adapter-kubernetes/src/test-cluster/memory/memory-cluster.test-support.js';
import type { PodHost } from '../../packages/adapter-kubernetes/src/test-cluster/pod-host.test-support.js';
import { realClock } from '../../packages/adapter-kubernetes/src/test-cluster/real-clock.test-support.js';
import { FakeWorkloads } from './fake-workloads.js';

/** Field manager of a person. */
export const human = { fieldManager: 'kubectl' };

/** A cluster with one namespace for pipelines. */
export interface BenchCluster {
  readonly kind: 'kube-apiserver' | 'in memory';
  readonly admin: KubeApi;
  /** Client of the operator, with its rights. */
  readonly api: KubeApi;
  readonly namespace: string;
  hostPods(host: PodHost): void;
  stop(): Promise<void>;
}

export interface ControlPlaneCluster extends BenchCluster {
  /** Access for an operator in another process. */
  readonly operatorKubeconfig: string;
}

export const startCluster = (): Promise<BenchCluster> =>
  controlPlane.isPresent() ? startControlPlane() : Promise.resolve(startMemory());

const operatorUser = serviceAccount(operatorAccount.namespace, operatorAccount.name);

async function startServer({ controllers = true } = {}) {
  const plane = await ControlPlane.start(kubeBinariesFolder(), [operatorUser], { controllers });
  const admin = await plane.api();
  const definition = pipelineDefinition() as KubeObject & { spec: unknown };
  await admin.apply(customResources, definition, human);
  await definitionServed(admin, definition.metadata.name);
  await installOperatorRights(admin);
  return { plane, admin, namespace: await namespaceOfOperator(admin) };
}

/** An API server whose workloads run as soon as they are written, without controllers. */
export async function startApiServer(host: PodHost) {
  const { plane, admin, namespace } = await startServer({ controllers: false });
  const workloads = new FakeWorkloads(admin, namespace, host);
  workloads.start();
  const stop = async (): Promise<void> => {
    await workloads.stop();
    await plane.stop();
  };
  return { admin, namespace, workloads, stop, operatorKubeconfig: plane.kubeconfig(operatorUser) };
}

export async function startControlPlane(): Promise<ControlPlaneCluster> {
  const { plane, admin, namespace } = await startServer();
  const kubelet = new FakeKubelet(admin);
  await kubelet.start();
  const hostPods = (host: PodHost): void => {
    kubelet.fateOf = () => ({ kind: 'hosted', host });
  };
  const stop = async (): Promise<void> => {
    await kubelet.stop();
    await plane.stop();
  };
  const [api, operatorKubeconfig] = [await plane.api(operatorUser), plane.kubeconfig(operatorUser)];
  return { kind: 'kube-apiserver', admin, api, namespace, hostPods, stop, operatorKubeconfig };
}

function startMemory(): BenchCluster {
  const kube = new MemoryKube(realClock, clusterResources);
  kube.startedEpochMs = Date.now() - realClock.nowMs();
  const cluster = new MemoryCluster(kube, realClock);
  const hostPods = (host: PodHost): void => {
    cluster.host = host;
  };
  const [admin, api] = [new MemoryKubeApi(kube), new MemoryKubeApi(kube)];
  const stop = (): Promise<void> => Promise.resolve(cluster.stop());
  return { kind: 'in memory', admin, api, namespace: 'test', hostPods, stop };
}

/** An operator over the namespace of a cluster; failures are added to `failures`. */
export function operatorOn({ api, namespace }: BenchCluster, source: PlanSource, failures: string[]): Operator {
  return new Operator({
    ...{ api, clock: realClock, rng: new SeededRng(1), nowEpochMs: () => Date.now(), source, namespace },
    imagesOf: () => ({ pipeline: 'bench:1', byVariant: {} }),
    onFailure: (what, error) => failures.push(`${what}: ${String(error)}`),
  });
}
