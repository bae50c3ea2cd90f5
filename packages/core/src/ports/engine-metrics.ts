/** Load and latency of a pipeline whose graph an engine walks, from the series of that engine. */
import type { StageId, VariantId } from '../model/ids.js';
import type { Slo } from '../model/pipeline-spec.js';

/**
 * Question for the counters of a pipeline. `graphs`: objects that walk the graph, the serving one first, then that of a
 * canary. `stages`: workloads of all variants that may run.
 */
export interface EngineMetricsQuestion {
  readonly engine: 'seldon-v2' | 'seldon-v1' | 'kserve';
  readonly namespace: string;
  readonly pipeline: string;
  readonly graphs: readonly string[];
  readonly stages: readonly { readonly stageId: StageId; readonly variantId: VariantId; readonly workload: string }[];
  readonly slo: Slo;
}

/**
 * Counters of a graph. They grow, except after a restart of their source. `withinSloTotal` counts ended requests within
 * the SLO, interpolated between buckets. `latencies`: ended requests by range; each range ends at its bound (s), the
 * last at Infinity. `ageMs`: age of the newest sample.
 */
export interface GraphCounters {
  readonly graph: string;
  readonly ageMs: number;
  readonly arrivedTotal: number;
  readonly endedTotal: number;
  readonly withinSloTotal: number;
  readonly latencies: readonly { readonly upToS: number; readonly count: number }[];
}

/** Counters of a workload: requests that it answered, and their total time (s) in it. */
export interface WorkloadCounters {
  readonly workload: string;
  readonly ageMs: number;
  readonly requestsTotal: number;
  readonly durationSTotal: number;
  /** Requests that wait; missing if the server does not count them. */
  readonly queueLength?: number;
}

/**
 * Counters that the source has. A graph or workload without samples is missing; `missing` names its series.
 * `staleAfterMs`: age from which a sample counts as stale, two scrape intervals.
 */
export interface EngineMetricsAnswer {
  readonly staleAfterMs: number;
  readonly graphs: readonly GraphCounters[];
  readonly workloads: readonly WorkloadCounters[];
  readonly missing: readonly { readonly series: string; readonly sinceEpochMs?: number }[];
}

/** Rejects if the source does not answer within `timeoutMs`; the message says why. */
export interface EngineMetrics {
  read(question: EngineMetricsQuestion, timeoutMs: number): Promise<EngineMetricsAnswer>;
}
