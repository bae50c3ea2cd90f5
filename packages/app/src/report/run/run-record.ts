/** A run of a pipeline over time: the input of its report, from a server, a decision log or the demo. */
import type { LatencyBucket, StagePoint } from '@equipoise/core/history';
import type { DecisionRecord, Slo } from '@equipoise/core/model';

/** Point of a stage. A decision log knows neither batch sizes nor latencies. */
export type RunStage = Pick<StagePoint, 'droppedRps' | 'queueLength' | 'batchLimit' | 'cpuCores' | 'replicas'> &
  Partial<Pick<StagePoint, 'batchSize' | 'p99Ms'>>;

/** Point of a run. Figures that are not known are absent. A `HistoryPoint` is one. */
export interface RunPoint {
  readonly atEpochMs: number;
  readonly arrivalRps: number;
  readonly forecastUpperRps?: number;
  /** Time of which the rates of ended requests are means; if absent, equally long for all points. */
  readonly ended?: { readonly fromEpochMs: number; readonly toEpochMs: number };
  readonly completedRps?: number;
  readonly lateRps?: number;
  readonly failedRps?: number;
  readonly drops?: Readonly<Record<string, number>>;
  readonly p50Ms?: number | null;
  readonly p99Ms?: number | null;
  readonly accuracy?: number;
  readonly cost?: number;
  readonly cpuCores: { readonly used?: number; readonly planned?: number };
  readonly stages: Readonly<Record<string, RunStage>>;
}

/**
 * `percentile`: that of `p99Ms`, which is the SLO percentile in a decision log. `latencies`: empty if they are unknown.
 * `decisions`: oldest first.
 */
export interface RunRecord {
  readonly pipeline: string;
  readonly origin: string;
  readonly slo: Pick<Slo, 'latencyMs' | 'percentile'> | undefined;
  readonly percentile: number;
  readonly points: readonly RunPoint[];
  readonly latencies: readonly LatencyBucket[];
  readonly decisions: readonly DecisionRecord[];
}
