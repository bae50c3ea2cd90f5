/**
 * The service mesh of a pipeline. The proxy of its serving router shows that there is one; the resources that the API
 * server serves show the means of a canary. Outside a mesh, nothing is asked.
 */
import { AppError, type Clock } from '@equipoise/core/model';
import type { KubeApi } from '../api/kube-api.js';
import type { KubeObject, ResourceType } from '../api/kube-object.js';
import { LABEL_PREFIX, labelsOf } from '../cluster/object-names.js';
import { isCanaryRouter, isRouter, meshTypes, type ObservedPod } from '../cluster/observed-objects.js';
import { keyOfPipeline } from './pipeline-index.js';

export const canaryMeans = ['router', 'http-route', 'virtual-service'] as const;

/** Means by which a canary router gets its requests: from the serving router, or by a route in a mesh. */
export type CanaryMeans = (typeof canaryMeans)[number];

/** Means of a canary, on its Deployment; on a pipeline, the means that a person chose. */
export const MEANS = `${LABEL_PREFIX}/canary-means`;

type MeshMeans = Exclude<CanaryMeans, 'router'>;

/** `objects`: routes and subsets of the pipeline. */
export interface PipelineMesh {
  readonly means: MeshMeans;
  readonly objects: readonly KubeObject[];
}

interface CalmLook {
  readonly mesh: PipelineMesh | undefined;
  readonly chosen: MeshMeans | undefined;
  readonly atMs: number;
}

/** Resources of each means, in order of preference. */
const KINDS_OF: Readonly<Record<MeshMeans, readonly string[]>> = {
  'http-route': ['HTTPRoute'],
  'virtual-service': ['VirtualService', 'DestinationRule'],
};

/** A resource that the API server does not serve is asked for again after this time. */
const RETRY_MS = 60_000;
/** A pipeline without routes and without a canary router is looked at again after this time. */
const CALM_MS = 10_000;

const PROXIES: readonly string[] = ['istio-proxy', 'linkerd-proxy'];
/** Annotation of a pod whose traffic Istio's ambient mesh redirects. */
const AMBIENT = 'ambient.istio.io/redirection';

export class Meshes {
  readonly #api: KubeApi;
  readonly #clock: Clock;
  readonly #missingSinceMs = new Map<string, number>();
  /** Last looks that found no routes. */
  readonly #calm = new Map<string, CalmLook>();

  constructor({ api, clock }: { readonly api: KubeApi; readonly clock: Clock }) {
    this.#api = api;
    this.#clock = clock;
  }

  /** Undefined outside a mesh, without its resources, or if the pipeline chose its router. */
  async of(pipeline: KubeObject, pods: readonly ObservedPod[]): Promise<PipelineMesh | undefined> {
    const chosen = canaryMeans.find((each) => each === pipeline.metadata.annotations?.[MEANS]);
    if (chosen === 'router' || (chosen === undefined && !pods.filter(isRouter).some(isInMesh))) return undefined;
    const key = keyOfPipeline(pipeline);
    const atMs = this.#clock.nowMs();
    const isCalm = !pods.some(isCanaryRouter);
    const calm = isCalm ? this.#calm.get(key) : undefined;
    if (calm !== undefined && calm.chosen === chosen && atMs - calm.atMs < CALM_MS) return calm.mesh;
    const mesh = await this.#read(pipeline, chosen);
    if (isCalm && (mesh === undefined || mesh.objects.length === 0)) this.#calm.set(key, { mesh, chosen, atMs });
    else this.#calm.delete(key);
    return mesh;
  }

  forget(key: string): void {
    this.#calm.delete(key);
  }

  async #read(pipeline: KubeObject, chosen: MeshMeans | undefined): Promise<PipelineMesh | undefined> {
    const lists = await Promise.all(
      Object.entries(KINDS_OF).map(async ([means, kinds]) => {
        const found = await Promise.all(kinds.map((kind) => this.#list(meshTypes[kind] as ResourceType, pipeline)));
        return { means: means as MeshMeans, objects: found.includes(undefined) ? undefined : found.flat() };
      }),
    );
    const served = lists.filter(({ objects }) => objects !== undefined);
    const means = (served.find((each) => each.means === chosen) ?? served[0])?.means;
    return means && { means, objects: served.flatMap(({ objects }) => objects as readonly KubeObject[]) };
  }

  /** Undefined if the server does not serve the resource, or the operator may not list it. */
  async #list(type: ResourceType, { metadata }: KubeObject): Promise<readonly KubeObject[] | undefined> {
    const { name, namespace } = metadata;
    const key = `${type.plural} ${namespace ?? ''}`;
    const nowMs = this.#clock.nowMs();
    if (nowMs - (this.#missingSinceMs.get(key) ?? Number.NEGATIVE_INFINITY) < RETRY_MS) return undefined;
    const labelSelector = Object.entries(labelsOf(name)).map(([label, value]) => `${label}=${value}`);
    try {
      const page = await this.#api.list({ type, namespace, labelSelector: labelSelector.join(',') });
      return page.kind === 'page' ? page.objects : [];
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'CLUSTER_REFUSED') throw error;
      if (![403, 404].includes(Number(error.details['httpStatus']))) throw error;
      this.#missingSinceMs.set(key, nowMs);
      return undefined;
    }
  }
}

/** True for a pod with the proxy of a mesh, or whose node's proxy takes its traffic. */
export function isInMesh({ metadata, spec }: ObservedPod): boolean {
  const containers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])];
  return metadata.annotations?.[AMBIENT] === 'enabled' || containers.some(({ name = '' }) => PROXIES.includes(name));
}
