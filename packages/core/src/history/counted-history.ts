/**
 * History of a pipeline that other processes serve: rows from their counters. It knows no single requests, so a second
 * has only what counters tell; all else is unknown.
 */
import type { Decision } from '../model/decision.js';
import type { StageId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { DropReason } from '../model/request-outcome.js';
import type { RunningPlan } from '../model/running-plan.js';
import { HISTORY_SECONDS, History } from './history.js';
import { dropReasons, historyShapeOf, placeOf, placeOfStage, rowWidth } from './history-layout.js';

/** Growth of the counters of a stage in one second, and its queue at the end. */
export interface CountedStage {
  readonly items: number;
  readonly batches: number;
  readonly dropped: number;
  readonly queueLength: number;
}

/** One second: growth of counters, and the state at its end. Latencies are of completed requests. */
export interface CountedSecond {
  readonly atEpochMs: number;
  readonly arrived: number;
  readonly completed: number;
  readonly late: number;
  readonly failed: number;
  readonly drops: Readonly<Partial<Record<DropReason, number>>>;
  readonly p50Ms?: number | undefined;
  readonly p99Ms?: number | undefined;
  readonly busyCores: number;
  readonly stages: Readonly<Record<StageId, CountedStage>>;
  readonly runningPlan: RunningPlan;
  readonly plan?: { readonly pas: number; readonly costPerHour: number; readonly cpuCores: number } | undefined;
  readonly budgetCores?: number | undefined;
  readonly staleSignals: number;
  readonly decision?: Pick<Decision, 'evidence'> | undefined;
}

export class CountedHistory {
  #history: History;
  readonly #row: Float32Array;

  /** Keeps at most `seconds`, to bound the memory of many pipelines. */
  constructor(spec: Pick<PipelineSpec, 'stages' | 'edges'>, seconds = HISTORY_SECONDS) {
    const shape = historyShapeOf(spec);
    this.#history = new History(shape, seconds);
    this.#row = new Float32Array(rowWidth(shape));
  }

  get history(): History {
    return this.#history;
  }

  /** Bytes of one second: its row and its time. */
  get secondBytes(): number {
    return this.#row.byteLength + Float64Array.BYTES_PER_ELEMENT;
  }

  /** Keeps at most `seconds` from now on. */
  shorten(seconds: number): void {
    if (seconds < this.#history.seconds) this.#history = this.#history.shortened(seconds);
  }

  append(second: CountedSecond): void {
    this.#row.fill(0);
    this.#setPipeline(second);
    for (const [stage, id] of this.history.shape.stageIds.entries()) this.#setStage(stage, id, second);
    this.history.append(second.atEpochMs, this.#row);
  }

  #setPipeline({ arrived, completed, late, failed, drops, decision, plan, ...second }: CountedSecond): void {
    const { forecast, load } = decision?.evidence ?? {};
    const figures = {
      arrived,
      completed,
      late,
      failed,
      p50Ms: second.p50Ms ?? Number.NaN,
      p99Ms: second.p99Ms ?? Number.NaN,
      forecastRps: forecast?.meanRps ?? Number.NaN,
      forecastUpperRps: forecast?.upperRps ?? Number.NaN,
      provisionedRps: load?.arrivalRps ?? forecast?.upperRps ?? Number.NaN,
      accuracy: plan?.pas ?? Number.NaN,
      costPerHour: plan?.costPerHour ?? Number.NaN,
      usedCores: second.busyCores,
      plannedCores: plan?.cpuCores ?? Number.NaN,
      budgetCores: second.budgetCores ?? Number.NaN,
      staleSignals: second.staleSignals,
    } as const;
    for (const [field, value] of Object.entries(figures)) this.#row[placeOf(field as keyof typeof figures)] = value;
    for (const reason of dropReasons) this.#row[placeOf(reason)] = drops[reason] ?? 0;
  }

  #setStage(stage: number, id: StageId, { stages, runningPlan }: CountedSecond): void {
    const { items = 0, batches = 0, dropped = 0, queueLength = 0 } = stages[id] ?? {};
    const { replicas = [], maxBatchSize = 0 } = runningPlan.stages[id] ?? {};
    const count = (status: string) => replicas.filter((replica) => replica.status === status).length;
    const figures = {
      arrived: items,
      items,
      batches,
      dropped,
      queueLength,
      p99Ms: Number.NaN,
      batchLimit: maxBatchSize,
      cpuCores: replicas.reduce(
        (sum, { status, resources }) => sum + (status === 'failed' ? 0 : resources.cpuCores),
        0,
      ),
      capacityRps: Number.NaN,
      variant: Number.NaN,
      starting: count('starting'),
      ready: count('ready'),
      draining: count('draining'),
      unhealthy: count('failed'),
    } as const;
    for (const [field, value] of Object.entries(figures))
      this.#row[placeOfStage(stage, field as keyof typeof figures)] = value;
  }
}
