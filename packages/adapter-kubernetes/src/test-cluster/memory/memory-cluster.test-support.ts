/**
 * Controllers of an API server in memory. Deployments get pods, new ones before old ones are removed. Pods become
 * ready, and stop slowly. Services get the addresses of ready pods. Children are deleted with their owner. The
 * controllers run at the next tenth of a second after a change, and when a time is due.
 */
import type { AlarmClock } from '@equipoise/core/model';
import { written } from '../../api/conformance/subject.test-support.js';
import type { KubeObject, ObjectRef, ResourceType } from '../../api/kube-object.js';
import { refTo } from '../../api/kube-object.js';
import { same } from '../../api/memory/field-owners.test-support.js';
import type { MemoryKube, MemoryResource } from '../../api/memory/memory-kube.test-support.js';
import { MemoryKubeApi } from '../../api/memory/memory-kube-api.test-support.js';
import {
  childTypes,
  deployments,
  nodes,
  type ObservedDeployment,
  type ObservedPod,
  pipelines,
  pods,
} from '../../cluster/observed-objects.js';
import { events } from '../../deploy/events.js';
import { podAutoscalers } from '../../observe/autoscalers.js';
import type { Deployment, Service } from '../../render/manifest-types.js';
import type { HostedPod, PodHost } from '../pod-host.test-support.js';
import { endpointSlices, SERVICE_LABEL } from '../service-names.test-support.js';

/** Resources that an operator uses. */
export const clusterResources: readonly MemoryResource[] = [
  { type: pipelines, hasStatus: true },
  { type: pods, hasStatus: true },
  { type: nodes, hasStatus: true },
  { type: events },
  { type: endpointSlices },
  { type: podAutoscalers },
  ...Object.values(childTypes).map((type) => ({ type, hasStatus: type.kind === 'Deployment' })),
];

const LOOK_EVERY_MS = 100;
const HASH = 'pod-template-hash';
const HOLD = 'test.equipoise.dev/running';
const writer = { fieldManager: 'controllers' };
const forced = { fieldManager: 'kubelet', force: true };

export class MemoryCluster {
  /** Runs the containers of pods. Without a host, pods have no containers. */
  host: PodHost | undefined;
  /** Node of the pods that are made from now on; by default none. */
  node: string | undefined;
  /** Annotations that the cluster adds to pods, as a mesh does. */
  podAnnotations: Readonly<Record<string, string>> = {};
  #readyAfterMs: (pod: KubeObject) => number = () => 0;
  #waitingFor: (pod: KubeObject) => string | undefined = () => undefined;
  #stopMs = 0;
  #stuckAfterMs = Number.POSITIVE_INFINITY;
  /** Time of the eviction by pod, in ms since the epoch. */
  readonly #evicted = new Map<string, number>();
  readonly #hosted = new Map<string, { isReady: boolean; isEnding: boolean; isGone: boolean }>();
  readonly #api: MemoryKubeApi;
  readonly #clock: AlarmClock;
  readonly #kube: MemoryKube;
  readonly #since = new Map<string, number>();
  readonly #progressed = new Map<string, { readonly now: string; readonly sinceMs: number }>();
  #made = 0;
  #isStopped = false;
  /** Next run of the controllers, and its cancellation. */
  #next: { readonly atMs: number; readonly cancel: () => void } | undefined;
  #isLooking = false;
  /** Earliest instant at which time alone changes something. */
  #dueAtMs = Number.POSITIVE_INFINITY;

  constructor(kube: MemoryKube, clock: AlarmClock) {
    this.#kube = kube;
    this.#api = new MemoryKubeApi(kube);
    this.#clock = clock;
    kube.onChange = () => this.#lookSoon();
    this.#lookSoon();
  }

  /** Time until a pod is ready; Infinity: never. */
  get readyAfterMs(): (pod: KubeObject) => number {
    return this.#readyAfterMs;
  }

  set readyAfterMs(readyAfterMs: (pod: KubeObject) => number) {
    this.#readyAfterMs = readyAfterMs;
    this.#lookSoon();
  }

  /** Reason for which a pod waits instead of running. */
  set waitingFor(waitingFor: (pod: KubeObject) => string | undefined) {
    this.#waitingFor = waitingFor;
    this.#lookSoon();
  }

  set stopMs(stopMs: number) {
    this.#stopMs = stopMs;
    this.#lookSoon();
  }

  /** A rollout without progress for this time counts as stuck. */
  set stuckAfterMs(stuckAfterMs: number) {
    this.#stuckAfterMs = stuckAfterMs;
    this.#lookSoon();
  }

  /** Stops all controllers. */
  stop(): void {
    this.#isStopped = true;
    this.#next?.cancel();
  }

  /** A node ends a pod, which remains as a record. */
  evict(name: string, atEpochMs: number): void {
    this.#evicted.set(name, atEpochMs);
    this.#lookSoon();
  }

  #lookSoon(): void {
    if (!this.#isLooking) this.#lookAt(this.#clock.nowMs());
  }

  /** Runs the controllers at the first tenth of a second after `afterMs`, or earlier. */
  #lookAt(afterMs: number): void {
    const atMs = (Math.floor(afterMs / LOOK_EVERY_MS) + 1) * LOOK_EVERY_MS;
    if (this.#isStopped || (this.#next !== undefined && this.#next.atMs <= atMs)) return;
    this.#next?.cancel();
    const cancel = this.#clock.ringAt(atMs, () => {
      this.#next = undefined;
      void this.#look();
    });
    this.#next = { atMs, cancel };
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    this.#dueAtMs = Number.POSITIVE_INFINITY;
    const { revision } = this.#kube;
    await this.#collectGarbage();
    const all = await this.#all(pods);
    for (const pod of all) await this.#run(pod);
    for (const deployment of await this.#all(deployments)) await this.#control(deployment);
    await this.#serve();
    this.#isLooking = false;
    if (this.#kube.revision !== revision) this.#lookSoon();
    else if (Number.isFinite(this.#dueAtMs)) this.#lookAt(this.#dueAtMs - 1);
  }

  async #all<T extends KubeObject>(type: ObjectRef<T>['type']): Promise<readonly T[]> {
    const page = await this.#api.list({ type });
    return page.kind === 'page' ? page.objects : [];
  }

  /** Removes children without an owner, and pods without a Deployment. */
  async #collectGarbage(): Promise<void> {
    const types = [pipelines, pods, ...Object.values(childTypes)];
    const objects = (
      await Promise.all(types.map(async (type) => (await this.#all(type)).map((object) => ({ type, object }))))
    ).flat();
    const uids = new Set(objects.map(({ object }) => object.metadata.uid));
    for (const { type, object } of objects) {
      const owners = object.metadata.ownerReferences ?? [];
      if (owners.length > 0 && !owners.some(({ uid }) => uids.has(uid))) await this.#api.delete(refTo(type, object));
    }
  }

  /** Acts as the kubelet of a pod. */
  async #run(pod: ObservedPod): Promise<void> {
    const { uid = '', deletionTimestamp } = pod.metadata;
    const nowMs = this.#clock.nowMs();
    if (deletionTimestamp !== undefined) {
      const sinceMs = this.#since.get(`end ${uid}`) ?? nowMs;
      this.#since.set(`end ${uid}`, sinceMs);
      this.#isDueAt(sinceMs + this.#stopMs);
      if (nowMs - sinceMs < this.#stopMs || !this.#hasEnded(pod)) return;
      await this.#api.replace(pods, { ...pod, metadata: { ...pod.metadata, finalizers: [] } }, writer);
      return;
    }
    const sinceMs = this.#since.get(uid) ?? nowMs;
    this.#since.set(uid, sinceMs);
    const reason = this.#waitingFor(pod);
    const hosted = this.#hostedAs(pod);
    if (reason === undefined) this.#isDueAt(sinceMs + this.#readyAfterMs(pod));
    const isUp = reason === undefined && nowMs - sinceMs >= this.#readyAfterMs(pod) && hosted?.isReady !== false;
    const state = reason === undefined ? {} : { state: { waiting: { reason, message: reason } } };
    const evictedAtEpochMs = this.#evicted.get(pod.metadata.name);
    if (evictedAtEpochMs !== undefined) return this.#end(pod, evictedAtEpochMs);
    const status = {
      podIP: addressOf(pod),
      phase: 'Running',
      conditions: [{ type: 'Ready', status: isUp ? 'True' : 'False' }],
      containerStatuses: [{ name: 'main', ...state }],
    };
    if (same(pod.status, status)) return;
    await this.#api.applyStatus(pods, { ...pod, metadata: bare(pod), status }, forced);
  }

  /** Ends a pod for the pressure of its node. */
  async #end(pod: ObservedPod, atEpochMs: number): Promise<void> {
    const lastTransitionTime = new Date(atEpochMs).toISOString();
    const status = {
      podIP: addressOf(pod),
      phase: 'Failed',
      reason: 'Evicted',
      message: 'The node was low on resource: memory.',
      conditions: [{ type: 'Ready', status: 'False', lastTransitionTime }],
    };
    if (same(pod.status, status)) return;
    await this.#api.applyStatus(pods, { ...pod, metadata: bare(pod), status }, forced);
  }

  #isDueAt(atMs: number): void {
    if (atMs > this.#clock.nowMs()) this.#dueAtMs = Math.min(this.#dueAtMs, atMs);
  }

  /** Containers of a pod, started on first use; undefined without a host. */
  #hostedAs(pod: ObservedPod): { readonly isReady: boolean } | undefined {
    const { uid = '' } = pod.metadata;
    if (this.host === undefined || this.#hosted.has(uid)) return this.#hosted.get(uid);
    const hosted = { isReady: false, isEnding: false, isGone: false };
    this.#hosted.set(uid, hosted);
    this.host.start(pod as unknown as HostedPod, addressOf(pod), (isReady) => {
      hosted.isReady = isReady;
      this.#lookSoon();
    });
    return hosted;
  }

  /** True if a pod has stopped completely. The first call stops its containers. */
  #hasEnded(pod: ObservedPod): boolean {
    const hosted = this.#hosted.get(pod.metadata.uid ?? '');
    if (hosted === undefined || hosted.isGone) return true;
    if (hosted.isEnding) return false;
    hosted.isEnding = true;
    void this.host?.stop(pod).then(() => {
      hosted.isGone = true;
      this.#lookSoon();
    });
    return false;
  }

  /** Acts as the EndpointSlice controller. */
  async #serve(): Promise<void> {
    const running = await this.#all(pods);
    for (const service of await this.#all(services)) {
      const { name, namespace } = service.metadata;
      const selected = running.filter(({ metadata }) =>
        Object.entries(service.spec.selector).every(([label, value]) => metadata.labels?.[label] === value),
      );
      const ready = selected.filter((pod) => isReady(pod) && pod.metadata.deletionTimestamp === undefined);
      const slice = {
        ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4' as const },
        metadata: { ...bare(service), labels: { [SERVICE_LABEL]: name } },
        endpoints: ready.map((pod) => ({ addresses: [addressOf(pod)], conditions: { ready: true } })),
      };
      const old = await this.#api.get({ type: endpointSlices, name, ...(namespace !== undefined && { namespace }) });
      if (!same(old?.endpoints, slice.endpoints)) await this.#api.apply(endpointSlices, slice, forced);
    }
  }

  /** Acts as the Deployment controller: at most one extra pod, never fewer ready pods than wanted. */
  async #control(deployment: ObservedDeployment): Promise<void> {
    const wanted = deployment.spec.replicas ?? 1;
    const { uid, generation = 1 } = deployment.metadata;
    const hash = JSON.stringify(deployment.spec.template);
    const own = (await this.#all(pods)).filter(
      ({ metadata, status }) =>
        metadata.deletionTimestamp === undefined &&
        metadata.ownerReferences?.[0]?.uid === uid &&
        status?.phase !== 'Failed',
    );
    const fresh = own.filter(({ metadata }) => metadata.annotations?.[HASH] === hash);
    const stale = own.filter((pod) => !fresh.includes(pod));
    const ready = own.filter(isReady);
    if (fresh.length < wanted && own.length < wanted + 1) await this.#create(deployment as unknown as Deployment, hash);
    const surplus = fresh.length > wanted ? fresh[0] : stale[0];
    const maySpare = surplus !== undefined && (!isReady(surplus) || ready.length > wanted);
    if (maySpare) await this.#api.delete(refTo(pods, surplus));
    const status = {
      observedGeneration: generation,
      replicas: own.length,
      updatedReplicas: fresh.length,
      readyReplicas: ready.length,
      ...this.#progress(
        deployment as unknown as Deployment,
        `${hash} ${wanted} ${fresh.filter(isReady).length}`,
        wanted,
      ),
    };
    if (same(deployment.status, status)) return;
    await this.#api.applyStatus(deployments, { ...deployment, metadata: bare(deployment), status }, forced);
  }

  /** Reports a rollout that made no progress within its deadline. */
  #progress({ metadata: { uid = '' } }: ObservedDeployment, now: string, wanted: number) {
    const nowMs = this.#clock.nowMs();
    const last = this.#progressed.get(uid);
    const sinceMs = last?.now === now ? last.sinceMs : nowMs;
    this.#progressed.set(uid, { now, sinceMs });
    if (now.endsWith(` ${wanted} ${wanted}`)) return {};
    this.#isDueAt(sinceMs + this.#stuckAfterMs);
    if (nowMs - sinceMs < this.#stuckAfterMs) return {};
    const [reason, message] = ['ProgressDeadlineExceeded', 'has timed out progressing.'];
    return { conditions: [{ type: 'Progressing', status: 'False', reason, message }] };
  }

  async #create({ metadata, spec }: Deployment, hash: string): Promise<void> {
    const { labels, annotations = {} } = spec.template.metadata;
    const owner = { apiVersion: 'apps/v1', kind: 'Deployment', name: metadata.name, uid: metadata.uid ?? '' };
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: `${metadata.name}-${++this.#made}`,
        ...(metadata.namespace !== undefined && { namespace: metadata.namespace }),
        labels,
        annotations: { ...annotations, ...this.podAnnotations, [HASH]: hash },
        ownerReferences: [owner],
        finalizers: [HOLD],
      },
      spec: { ...spec.template.spec, ...(this.node !== undefined && { nodeName: this.node }) },
    };
    written(await this.#api.create(pods, pod, writer));
  }
}

const services = childTypes['Service'] as ResourceType<Service>;

/** Address of a pod, from the number in its name. */
function addressOf({ metadata: { name } }: KubeObject): string {
  const number = Number(/\d+$/.exec(name)?.[0] ?? 0);
  return `10.244.${number >> 8}.${number & 255}`;
}

const isReady = ({ status }: ObservedPod): boolean =>
  status?.conditions?.some(({ type, status: holds }) => type === 'Ready' && holds === 'True') ?? false;

function bare({ metadata: { name, namespace } }: KubeObject): KubeObject['metadata'] {
  return { name, ...(namespace !== undefined && { namespace }) };
}
