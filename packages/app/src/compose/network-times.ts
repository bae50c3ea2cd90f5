/** Network times of a pipeline in Istio, from the series of its proxies. */
import type { NetworkQuestion, NetworkTimes } from '@equipoise/adapter-kubernetes';
import {
  freshValue,
  type PipelineMetrics,
  type PrometheusApi,
  readPipelineMetrics,
} from '@equipoise/adapter-prometheus';
import type { StageId } from '@equipoise/core/model';

const PERCENTILE = 99;

export class MeshNetworkTimes implements NetworkTimes {
  readonly #api: PrometheusApi;
  readonly #scrapeIntervalMs: number;

  constructor(api: PrometheusApi, { scrapeIntervalMs }: { readonly scrapeIntervalMs: number }) {
    this.#api = api;
    this.#scrapeIntervalMs = scrapeIntervalMs;
  }

  /** Of several variants of a stage, the longest time. */
  async read({ namespace, pipeline, router, stages }: NetworkQuestion): Promise<ReadonlyMap<StageId, number>> {
    const workloads = stages.map(({ stageId, variantId, workload }) => {
      return { stage: stageId, variant: variantId, name: workload };
    });
    const watched = { name: pipeline, namespace, router, workloads, sources: ['istio'] as const };
    const options = { scrapeIntervalMs: this.#scrapeIntervalMs, percentile: PERCENTILE };
    return networkTimesFrom(router, (await readPipelineMetrics(this.#api, watched, options)).edges);
  }
}

export function networkTimesFrom(router: string, edges: PipelineMetrics['edges']): ReadonlyMap<StageId, number> {
  const times = new Map<StageId, number>();
  for (const { from, to, networkMs } of edges) {
    const ms = freshValue(networkMs);
    if (from !== router || ms === undefined) continue;
    times.set(to as StageId, Math.max(ms, times.get(to as StageId) ?? 0));
  }
  return times;
}
