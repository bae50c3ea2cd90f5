/**
 * A node without containers: it takes its scheduled pods and reports their status like a kubelet, as `fateOf` decides.
 * A deleted pod is unready at once, and gone after its grace period or `stopMs`, whichever is shorter.
 */
import { SeededRng } from '@equipoise/core/model';
import type { KubeApi } from '../api/kube-api.js';
import { type KubeObject, objectKey, type ResourceType, refTo } from '../api/kube-object.js';
import { Reflector } from '../cluster/reflector.js';
import type { HostedPod, PodHost } from './pod-host.test-support.js';
import { realClock } from './real-clock.test-support.js';

/** Used fields of a pod. */
export interface PodObject extends KubeObject {
  readonly spec: {
    readonly nodeName?: string;
    readonly terminationGracePeriodSeconds?: number;
    readonly containers: readonly { readonly name: string; readonly image: string; readonly resources?: unknown }[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly unknown[];
  };
}

const pods: ResourceType<PodObject> = {
  group: '',
  version: 'v1',
  kind: 'Pod',
  plural: 'pods',
  namespaced: true,
};
const nodes: ResourceType<KubeObject & { spec?: unknown; status?: unknown }> = {
  group: '',
  version: 'v1',
  kind: 'Node',
  plural: 'nodes',
  namespaced: false,
};

/** Fate of a pod on its node; times in milliseconds. */
export type PodFate =
  | { readonly kind: 'ready'; readonly afterMs: number }
  | { readonly kind: 'never-ready' }
  | { readonly kind: 'crash-loop' }
  | { readonly kind: 'image-missing' }
  /**
   * The containers of the pod run. `host` decides when the pod is ready. The pod is gone when its containers have
   * stopped.
   */
  | { readonly kind: 'hosted'; readonly host: PodHost };

const kubelet = { fieldManager: 'kubelet', force: true };

export class FakeKubelet {
  fateOf: (pod: PodObject) => PodFate = () => ({ kind: 'ready', afterMs: 0 });
  /** Time that a pod needs to stop. */
  stopMs = 0;
  readonly #api: KubeApi;
  readonly #name: string;
  readonly #abort = new AbortController();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #begun = new Set<string>();
  readonly #ending = new Set<string>();
  readonly #hosts = new Map<string, PodHost>();
  #running: Promise<void> | undefined;
  #addresses = 0;

  constructor(api: KubeApi, name = 'fake-1') {
    this.#api = api;
    this.#name = name;
  }

  /** Creates the node and starts to take pods. */
  async start(): Promise<void> {
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: this.#name } };
    await this.#api.apply(nodes, node, kubelet);
    const room = { cpu: '512', memory: '4Ti', pods: '1000' };
    const conditions = [condition('Ready', true, 'KubeletReady')];
    await this.#api.applyStatus(nodes, { ...node, status: { capacity: room, allocatable: room, conditions } }, kubelet);
    const base = { api: this.#api, clock: realClock, rng: new SeededRng(1) };
    const selection = { type: pods, fieldSelector: `spec.nodeName=${this.#name}` };
    const reflector = new Reflector(base, selection, {
      onChange: (_key, pod) => pod && this.#look(pod),
      onFailure: () => {},
    });
    this.#running = reflector.run(this.#abort.signal);
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    for (const timer of this.#timers) clearTimeout(timer);
    await this.#running;
  }

  #look(pod: PodObject): void {
    const id = idOf(pod);
    if (pod.metadata.deletionTimestamp !== undefined) {
      if (this.#ending.has(id)) return;
      this.#ending.add(id);
      this.#end(pod);
    } else if (!this.#begun.has(id)) {
      this.#begun.add(id);
      this.#begin(pod);
    }
  }

  #begin(pod: PodObject): void {
    const fate = this.fateOf(pod);
    const started = new Date().toISOString();
    const podIP = `10.244.${(++this.#addresses >> 8) & 255}.${this.#addresses & 255}`;
    const running = { running: { startedAt: started } };
    const tell = (ready: boolean, state: unknown, restartCount = 0): Promise<void> =>
      this.#tell(pod, { ready, state, restartCount, podIP, started });
    if (fate.kind === 'image-missing') {
      const message = `Back-off pulling image "${imageOf(pod)}"`;
      this.#later(0, () => tell(false, { waiting: { reason: 'ImagePullBackOff', message } }));
    } else if (fate.kind === 'crash-loop') {
      const message = 'back-off restarting failed container';
      this.#later(0, () => tell(false, { waiting: { reason: 'CrashLoopBackOff', message } }, 5));
    } else if (fate.kind === 'hosted') {
      this.#hosts.set(idOf(pod), fate.host);
      this.#later(0, async () => {
        await tell(false, running);
        fate.host.start(pod as unknown as HostedPod, podIP, (isReady) =>
          this.#later(0, () => tell(isReady && !this.#ending.has(idOf(pod)), running)),
        );
      });
    } else {
      this.#later(0, async () => {
        await tell(false, running);
        if (fate.kind === 'ready') this.#later(fate.afterMs, () => tell(!this.#ending.has(idOf(pod)), running));
      });
    }
  }

  async #tell(
    pod: PodObject,
    told: { ready: boolean; state: unknown; restartCount: number; podIP: string; started: string },
  ): Promise<void> {
    const { ready, state, restartCount, podIP, started } = told;
    const isRunning = typeof state === 'object' && state !== null && 'running' in state;
    const status = {
      phase: isRunning ? 'Running' : 'Pending',
      startTime: started,
      hostIP: '10.0.1.1',
      podIP,
      podIPs: [{ ip: podIP }],
      conditions: [
        condition('PodScheduled', true),
        condition('Initialized', true),
        condition('ContainersReady', ready),
        condition('Ready', ready),
      ],
      containerStatuses: pod.spec.containers.map(({ name, image, resources }) => ({
        ...{ name, image, imageID: `fake://${image}`, containerID: `fake://${pod.metadata.uid}/${name}` },
        ...{ ready, started: isRunning, restartCount, state, resources },
      })),
    };
    await this.#applyStatus(pod, status);
  }

  #end(pod: PodObject): void {
    const graceMs = (pod.spec.terminationGracePeriodSeconds ?? 30) * 1000;
    this.#later(0, () =>
      this.#applyStatus(
        pod,
        { conditions: [condition('Ready', false), condition('ContainersReady', false)] },
        'kubelet-end',
      ),
    );
    const host = this.#hosts.get(idOf(pod));
    this.#later(host === undefined ? Math.min(graceMs, this.stopMs) : 0, async () => {
      await host?.stop(pod);
      await this.#api.delete(refTo(pods, pod), { graceSeconds: 0, uid: pod.metadata.uid ?? '' });
    });
  }

  async #applyStatus(pod: PodObject, status: object, fieldManager = 'kubelet'): Promise<void> {
    const { name, namespace = '', uid = '' } = pod.metadata;
    const object = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, uid }, status };
    await this.#api.applyStatus(pods, object as unknown as PodObject, { fieldManager, force: true });
  }

  /** Runs an action later; retries while the API server is down. */
  #later(delayMs: number, work: () => Promise<void>): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (this.#abort.signal.aborted) return;
      work().catch(() => this.#later(200, work));
    }, delayMs);
    this.#timers.add(timer);
  }
}

const idOf = ({ metadata }: PodObject): string => metadata.uid ?? objectKey(metadata);

function imageOf(pod: PodObject): string {
  return pod.spec.containers[0]?.image ?? '';
}

function condition(type: string, holds: boolean, reason?: string) {
  const lastTransitionTime = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  return { type, status: holds ? 'True' : 'False', lastTransitionTime, ...(reason !== undefined && { reason }) };
}
