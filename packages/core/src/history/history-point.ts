import type { StageId } from '../model/ids.js';
import type { DropReason } from '../model/request-outcome.js';

/**
 * `batchLimit`: largest batch size of the plan. `batchSize`: mean. `batchFill`: the mean ÷ the limit; unknown
 * if some batches are of an earlier plan with a higher limit, so that the mean is above it. `p99Ms`: wait and service of
 * an item. `cpuCores`: of all replicas that have not failed.
 */
export interface StagePoint {
  readonly arrivalRps: number;
  readonly droppedRps: number;
  readonly p99Ms?: number;
  readonly queueLength: number;
  readonly batchLimit: number;
  readonly batchSize?: number;
  readonly batchFill?: number;
  readonly cpuCores: number;
  readonly replicas: {
    readonly starting: number;
    readonly ready: number;
    readonly draining: number;
    readonly unhealthy: number;
  };
}

/**
 * One or more seconds of a pipeline. Rates are means, latencies and queue lengths maxima, all else is the value at the
 * end. Latencies are of completed requests; null without any. `cpuCores.used` are the cores of busy replicas;
 * `planned` is unknown before the first plan, and while a stage has no ready replica.
 */
export interface HistoryPoint {
  readonly atEpochMs: number;
  readonly arrivalRps: number;
  readonly forecastRps?: number;
  readonly forecastUpperRps?: number;
  readonly completedRps: number;
  readonly lateRps: number;
  readonly failedRps: number;
  readonly drops: Readonly<Partial<Record<DropReason, number>>>;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly accuracy?: number;
  readonly cost?: number;
  readonly cpuCores: { readonly used: number; readonly planned?: number };
  readonly stages: Readonly<Record<StageId, StagePoint>>;
}

/** Completed requests with a latency above the previous bucket's `upToMs` and up to this one. */
export interface LatencyBucket {
  readonly upToMs: number;
  readonly count: number;
}
