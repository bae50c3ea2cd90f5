/** A run of a pipeline over time: the input of its report, from a server, a decision log or the demo. */
import type { LatencyBucket, StagePoint } from '@equipoise/core/history';
import type { DecisionRecord, Slo } from '@equipoise/core/model';

/** Point of a stage. A decision log knows neither batch sizes nor latencies. */
export type RunStage = Pick<StagePoint, 'droppedRps' | 'queueLength' | 'batchLimit' | 'cpuCores' | 'replicas'> &
  Partial<Pick<StagePoint, 'batchSize' | 'p99Ms'>>;

/** Requests that ended in a time. */
export interface EndedRequests {
  readonly completedRps?: number;
  readonly lateRps?: number;
  readonly failedRps?: number;
  readonly drops?: Readonly<Record<string, number>>;
  readonly p50Ms?: number | null;
  readonly p99Ms?: number | null;
}

/** Point of a run. Figures that are not known are absent. A `HistoryPoint` is one. */
export interface RunPoint extends EndedRequests {
  readonly atEpochMs: number;
  readonly arrivalRps: number;
  readonly forecastUpperRps?: number;
  readonly accuracy?: number;
  readonly cost?: number;
  readonly cpuCores: { readonly used?: number; readonly planned?: number };
  readonly stages: Readonly<Record<string, RunStage>>;
}

/** Observed time after a decision. */
export interface OutcomeWindow {
  readonly decidedAtEpochMs: number;
  readonly fromEpochMs: number;
  readonly toEpochMs: number;
  readonly arrivalRps: number;
  readonly ended: EndedRequests;
}

/**
 * `percentile`: that of `p99Ms`, which is the SLO percentile in a decision log. `latencies`: empty if they are unknown.
 * `decisions`: oldest first. `outcomes`: those of a decision log, which may overlap; otherwise the points count all
 * requests.
 */
export interface RunRecord {
  readonly pipeline: string;
  readonly origin: string;
  readonly slo: Pick<Slo, 'latencyMs' | 'percentile'> | undefined;
  readonly percentile: number;
  readonly points: readonly RunPoint[];
  readonly outcomes?: readonly OutcomeWindow[];
  readonly latencies: readonly LatencyBucket[];
  readonly decisions: readonly DecisionRecord[];
}
