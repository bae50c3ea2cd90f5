import { runningAsPlan } from '@equipoise/core/control';
import type { PipelineSpec } from '@equipoise/core/model';
import type { RatePoint } from '@equipoise/core/simulate';
import type { LoopEvent } from '@equipoise/runtime';
import type { RunningPipeline } from '../compose/start-pipeline.js';
import type { RunRecord } from '../report/run/run-record.js';
import type { PlanInForce, SecondRow } from './demo-record.js';
import type { LiveState } from './live-view.js';

export interface RecorderOptions {
  readonly spec: PipelineSpec;
  readonly points: readonly RatePoint[];
  readonly onTrouble: (text: string) => void;
}

/** Sample of a second: statistics do not keep the plan. */
interface Sample {
  readonly p99Ms: number | undefined;
  readonly pas: number;
  readonly capacityRps: number;
}

const P99_WINDOW_S = 10;
const KEPT_SECONDS = 600;
const MOST_DECISIONS = 1000;

/** Records at most ten minutes, one row per second. */
export class DemoRecorder {
  readonly #options: RecorderOptions;
  readonly #plans: PlanInForce[] = [];
  readonly #samples: Sample[] = [];
  #pipeline: RunningPipeline | undefined;
  #firstSecond = 0;
  #startedAtEpochMs = Date.now();
  #reason = 'the first plan';
  #forecastRps: number | undefined;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  /** Starts the record; seconds count from now. */
  begin(pipeline: RunningPipeline): void {
    this.#pipeline = pipeline;
    this.#firstSecond = pipeline.runner.statistics.arrivalsPerSecond(pipeline.runner.nowMs).length;
    this.#plans.push({ atS: 0, plan: pipeline.firstPlan, reason: this.#reason });
  }

  note(event: LoopEvent): void {
    if (event.kind === 'failed') {
      const { step, error } = event;
      this.#options.onTrouble(`${step} failed: ${error instanceof Error ? error.message : String(error)}`);
    } else if (event.kind === 'decided') {
      this.#reason = event.record.decision.reason;
      this.#forecastRps = event.record.decision.evidence.forecast.upperRps;
    } else if (event.kind === 'in-force' && this.#pipeline !== undefined) {
      this.#plans.push({ atS: this.rows().length, plan: event.plan, reason: this.#reason });
    }
  }

  /** Rows so far. Call at least once a second, so that no sample is late. */
  rows(): readonly SecondRow[] {
    if (this.#pipeline === undefined) return [];
    const { statistics, nowMs } = this.#pipeline.runner;
    const records = statistics.recentSeconds(nowMs, KEPT_SECONDS).slice(this.#firstSecond);
    while (this.#samples.length < records.length) this.#samples.push(this.#sample());
    return records.map(({ arrived, completed, withinSlo, failed, dropped }, atS) => {
      const droppedTotal = Object.values(dropped).reduce((sum, count) => sum + count, 0);
      return { atS, arrived, completed, withinSlo, failed, dropped: droppedTotal, ...(this.#samples[atS] as Sample) };
    });
  }

  /** The run so far, with the decisions of the log. */
  async record(): Promise<RunRecord> {
    const { spec } = this.#options;
    const { history, control } = this.#pipeline ?? {};
    const decisions = (await control?.decisions({ limit: MOST_DECISIONS })) ?? [];
    return {
      ...{ pipeline: spec.name, origin: 'Demo', slo: spec.slo, percentile: 99 },
      points: history?.history.window().points(KEPT_SECONDS) ?? [],
      latencies: history?.latencies.window() ?? [],
      decisions: decisions.filter(({ atEpochMs }) => atEpochMs >= this.#startedAtEpochMs).toReversed(),
    };
  }

  get plans(): readonly PlanInForce[] {
    return this.#plans;
  }

  state(): LiveState {
    const { spec, points } = this.#options;
    const seconds = this.rows();
    const counts = this.#pipeline?.runner.stageCounts();
    return {
      spec,
      seconds,
      durationS: points.at(-1)?.atS ?? 0,
      plans: this.#plans,
      forecastRps: this.#forecastRps,
      running: this.#pipeline?.actuator.runningPlan() ?? { stages: {} },
      queueLengths: spec.stages.map(({ id }) => counts?.[id]?.queueLength ?? 0),
    };
  }

  #sample(): Sample {
    const pipeline = this.#pipeline;
    const plan = this.#plans.at(-1)?.plan;
    if (pipeline === undefined || plan === undefined) return { p99Ms: undefined, pas: 0, capacityRps: 0 };
    const latencies = pipeline.runner.statistics.recentLatencies(pipeline.runner.nowMs, P99_WINDOW_S);
    const running = runningAsPlan(this.#options.spec, pipeline.actuator.runningPlan());
    return {
      p99Ms: latencies.count === 0 ? undefined : latencies.quantileMs(0.99),
      pas: (running ?? plan).predicted.pas,
      capacityRps: plan.predicted.capacityRps,
    };
  }
}
