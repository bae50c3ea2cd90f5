/**
 * Deployments whose replicas an autoscaler sets: a HorizontalPodAutoscaler, or a ScaledObject of KEDA. They are listed
 * only if another manager has set replicas, and at most every ten seconds for each namespace.
 */
import { AppError, type Clock } from '@equipoise/core/model';
import type { KubeApi } from '../api/kube-api.js';
import type { KubeObject, ResourceType } from '../api/kube-object.js';

interface Autoscaler extends KubeObject {
  readonly spec?: { readonly scaleTargetRef?: { readonly kind?: string; readonly name?: string } };
}

export const podAutoscalers: ResourceType<Autoscaler> = {
  ...{ group: 'autoscaling', version: 'v2', kind: 'HorizontalPodAutoscaler', plural: 'horizontalpodautoscalers' },
  namespaced: true,
};

const types: readonly ResourceType<Autoscaler>[] = [
  podAutoscalers,
  { group: 'keda.sh', version: 'v1alpha1', kind: 'ScaledObject', plural: 'scaledobjects', namespaced: true },
];

/** Names of autoscalers by the Deployment that they scale. */
export type AutoscalerNames = ReadonlyMap<string, string>;

const FRESH_MS = 10_000;

export class Autoscalers {
  readonly #api: KubeApi;
  readonly #clock: Clock;
  readonly #known = new Map<string, { readonly names: AutoscalerNames | undefined; readonly atMs: number }>();

  constructor({ api, clock }: { readonly api: KubeApi; readonly clock: Clock }) {
    this.#api = api;
    this.#clock = clock;
  }

  /** Autoscalers of a namespace; undefined if the operator may not list them. */
  async of(namespace: string | undefined): Promise<AutoscalerNames | undefined> {
    const key = namespace ?? '';
    const known = this.#known.get(key);
    const nowMs = this.#clock.nowMs();
    if (known !== undefined && nowMs - known.atMs < FRESH_MS) return known.names;
    const lists = await Promise.all(types.map((type) => this.#list(type, namespace)));
    const names = lists.includes(undefined) ? undefined : new Map(lists.flatMap((list) => list ?? []));
    this.#known.set(key, { names, atMs: nowMs });
    return names;
  }

  /** Undefined if the operator may not list them; empty if the cluster has no such resource. */
  async #list(
    type: ResourceType<Autoscaler>,
    namespace: string | undefined,
  ): Promise<readonly (readonly [string, string])[] | undefined> {
    try {
      const page = await this.#api.list({ type, namespace });
      if (page.kind !== 'page') return undefined;
      return page.objects.flatMap(({ metadata, spec }) => {
        const { kind, name } = spec?.scaleTargetRef ?? {};
        // KEDA's default kind is Deployment.
        return name === undefined || (kind ?? 'Deployment') !== 'Deployment'
          ? []
          : [[name, `${type.kind} ${metadata.name}`] as const];
      });
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'CLUSTER_REFUSED') throw error;
      return error.details['httpStatus'] === 404 ? [] : undefined;
    }
  }
}
