/**
 * Runs Deployments without controllers, scheduler and kubelet, so that thousands fit on one machine: creates their pods
 * and marks everything ready. Pods of routers are hosted; those of stages only exist.
 */
import { createHash } from 'node:crypto';
import { SeededRng } from '@equipoise/core/model';
import type { KubeApi } from '../../packages/adapter-kubernetes/src/api/kube-api.js';
import { refTo } from '../../packages/adapter-kubernetes/src/api/kube-object.js';
import {
  deployments,
  isCanaryRouter,
  isRouter,
  type ObservedDeployment,
  type ObservedPod,
  pods,
} from '../../packages/adapter-kubernetes/src/cluster/observed-objects.js';
import { Reflector } from '../../packages/adapter-kubernetes/src/cluster/reflector.js';
import { WorkQueue } from '../../packages/adapter-kubernetes/src/cluster/work-queue.js';
import type { HostedPod, PodHost } from '../../packages/adapter-kubernetes/src/test-cluster/pod-host.test-support.js';
import { realClock } from '../../packages/adapter-kubernetes/src/test-cluster/real-clock.test-support.js';

const writer = { fieldManager: 'fake-workloads', force: true };

export class FakeWorkloads {
  /** Called with each Deployment whose spec has changed. */
  onChange: (deployment: ObservedDeployment) => void = () => {};
  readonly #api: KubeApi;
  readonly #host: PodHost;
  readonly #abort = new AbortController();
  readonly #deployments: Reflector<ObservedDeployment>;
  readonly #queue: WorkQueue;
  readonly #generations = new Map<string, number>();
  readonly #pods = new Map<string, Map<string, ObservedPod>>();
  #addresses = 0;
  #running: Promise<unknown> = Promise.resolve();

  constructor(api: KubeApi, namespace: string, host: PodHost) {
    this.#api = api;
    this.#host = host;
    const deps = { api, clock: realClock, rng: new SeededRng(3) };
    this.#queue = new WorkQueue(
      deps,
      (key) => this.#run(key),
      () => {},
    );
    this.#deployments = new Reflector(
      deps,
      { type: deployments, namespace },
      {
        onChange: (key, deployment) => {
          const generation = deployment?.metadata.generation;
          if (generation === this.#generations.get(key)) return;
          if (generation === undefined) this.#generations.delete(key);
          else this.#generations.set(key, generation);
          if (deployment !== undefined) this.onChange(deployment);
          this.#queue.add(key);
        },
        onFailure: () => {},
      },
    );
  }

  /** Generations by key. */
  get generations(): ReadonlyMap<string, number> {
    return this.#generations;
  }

  get readyCount(): number {
    const all = [...this.#deployments.objects.values()];
    return all.filter(({ metadata, status }) => status?.observedGeneration === metadata.generation).length;
  }

  start(): void {
    const { signal } = this.#abort;
    this.#running = Promise.all([this.#deployments.run(signal), this.#queue.run(signal)]);
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  async #run(key: string): Promise<object> {
    const deployment = this.#deployments.objects.get(key);
    const replicas = deployment?.spec.replicas ?? (deployment === undefined ? 0 : 1);
    const digest = createHash('sha256')
      .update(JSON.stringify(deployment?.spec.template ?? ''))
      .digest('hex')
      .slice(0, 8);
    const known = this.#pods.get(key) ?? new Map<string, ObservedPod>();
    this.#pods.set(key, known);
    const wanted = Array.from({ length: replicas }, (_, index) => `${deployment?.metadata.name}-${digest}-${index}`);
    for (const name of wanted)
      if (deployment !== undefined && !known.has(name)) known.set(name, await this.#create(deployment, name));
    for (const [name, pod] of [...known]) {
      if (wanted.includes(name)) continue;
      known.delete(name);
      if (isHosted(pod)) await this.#host.stop(pod);
      await this.#api.delete(refTo(pods, pod), { graceSeconds: 0 });
    }
    if (deployment !== undefined) await this.#markReady(deployment, replicas);
    return {};
  }

  async #create({ metadata, spec: { template } }: ObservedDeployment, name: string): Promise<ObservedPod> {
    const { name: _, ...described } = { ...template.metadata, name };
    const object = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...described, name, namespace: metadata.namespace },
      spec: { ...template.spec, nodeName: 'fake' },
    } as unknown as ObservedPod;
    const result = await this.#api.create(pods, object, writer);
    if (result.kind === 'refused') throw new Error(result.message);
    const pod = result.object;
    if (!isHosted(pod)) return pod;
    const address = ++this.#addresses;
    const podIP = `10.244.${(address >> 8) & 255}.${address & 255}`;
    await new Promise<void>((resolve) => this.#host.start(pod as unknown as HostedPod, podIP, () => resolve()));
    const status = { phase: 'Running', podIP, conditions: [{ type: 'Ready', status: 'True' }] };
    await this.#api.applyStatus(pods, { ...identityOf(pod), status } as ObservedPod, writer);
    return pod;
  }

  async #markReady(deployment: ObservedDeployment, replicas: number): Promise<void> {
    const counts = { replicas, updatedReplicas: replicas, readyReplicas: replicas, availableReplicas: replicas };
    const conditions = ['Available', 'Progressing'].map((type) => ({ type, status: 'True' }));
    const status = { observedGeneration: deployment.metadata.generation ?? 0, ...counts, conditions };
    await this.#api.applyStatus(deployments, { ...deployment, ...identityOf(deployment), status }, writer);
  }
}

const isHosted = (pod: ObservedPod): boolean => isRouter(pod) || isCanaryRouter(pod);

function identityOf({ apiVersion, kind, metadata: { name, namespace } }: ObservedPod | ObservedDeployment) {
  return { apiVersion, kind, metadata: { name, namespace } };
}
