/**
 * Builds the history of a pipeline from its events, for served and simulated pipelines alike. Has no clock: events carry
 * their time, and `advance` ends all seconds that are over. Gauges are sampled when a second ends.
 */
import { LatencyHistogram } from '../kernel/latency-histogram.js';
import type { Decision, EdgeTally, Forecast } from '../model/decision.js';
import type { ReplicaId, StageId, VariantId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { DropReason } from '../model/request-outcome.js';
import { type RunningPlan, type RunningStage, runningStages } from '../model/running-plan.js';
import { capacityRps, type ServiceCurves } from '../profile/service-curves.js';
import { History } from './history.js';
import { historyShapeOf, placeOf, placeOfEdge, placeOfStage, rowWidth } from './history-layout.js';
import { STEP_MS } from './history-window.js';
import { LatencyBlocks } from './latency-blocks.js';
import { BLOCK_MS, ReplicaBlocks } from './replica-blocks.js';

/**
 * Totals since the start and current state of a stage. `replacedSlow`: replicas that were replaced because they hung or
 * were slow. `open`: ready replicas that get no batches after health issues.
 */
export interface StageSample {
  readonly arrived: number;
  readonly dropped: number;
  readonly replacedSlow?: number;
  readonly queueLength: number;
  readonly open?: number;
}

/** State of a pipeline. `arrived` and `edges` count since the start; `edges` and `stages` are in the order of the file. */
export interface HistorySample {
  readonly arrived: number;
  readonly stages: readonly StageSample[];
  readonly edges: readonly EdgeTally[];
  readonly runningPlan: RunningPlan;
  /** Accuracy and use of the running plan; absent while a stage has no ready replica. */
  readonly plan?: { readonly pas: number; readonly costPerHour: number; readonly cpuCores: number } | undefined;
}

/** Source that decisions use. */
export interface SignalAge {
  readonly source: string;
  readonly ageMs?: number;
}

/** `curves`: by the profile, without corrections. `budgetCores`: undefined without a budget. */
export interface HistoryDeps {
  readonly spec: Pick<PipelineSpec, 'stages' | 'edges'>;
  readonly sloLatencyMs: () => number;
  readonly budgetCores: (atMs: number) => number | undefined;
  readonly curves: ServiceCurves;
  readonly startedAtMs: number;
  readonly epochMsOf: (atMs: number) => number;
  readonly sample: () => HistorySample;
}

/** `leftMs`: time from admission to the deadline. `byClient`: a failure that the input caused. */
export interface EndedRequest {
  readonly endedAtMs: number;
  readonly latencyMs: number;
  readonly leftMs: number;
  readonly outcome: 'completed' | 'failed' | DropReason;
  readonly byClient?: boolean;
}

/** `serviceMs` is 0 if the batch failed as a whole. */
export interface EndedBatch {
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly replicaId: ReplicaId;
  readonly cpuCores: number;
  readonly size: number;
  readonly failedItems: number;
  readonly serviceMs: number;
  readonly busyMs: number;
  readonly waitsMs: readonly number[];
}

/** A clock that jumps ahead by more than this leaves a gap. */
const MOST_CATCH_UP = 60;
/** A client that leaves less than this fraction of the SLO is hasty; reading a request takes some time, too. */
const HASTY_FRACTION = 0.9;

export class HistoryRecorder {
  readonly history: History;
  readonly replicas = new ReplicaBlocks();
  readonly latencies = new LatencyBlocks();
  readonly #deps: HistoryDeps;
  readonly #row: Float32Array;
  readonly #stageIndex: ReadonlyMap<StageId, number>;
  readonly #latencies = new LatencyHistogram();
  readonly #stageLatencies: readonly LatencyHistogram[];
  #busyCoreMs = 0;
  #endsAtMs: number;
  #blockEndsAtMs: number;
  #last: HistorySample;
  #forecast: Forecast | undefined;
  #provisionedRps = Number.NaN;
  #staleSignals = 0;
  /** Times of the newest data; NaN before the first. */
  #arrivedAtMs = Number.NaN;
  #endedAtMs = Number.NaN;
  #decidedAtMs = Number.NaN;
  readonly #batchAtMs: Float64Array;

  constructor(deps: HistoryDeps) {
    const { startedAtMs } = deps;
    const shape = historyShapeOf(deps.spec);
    this.#deps = deps;
    this.history = new History(shape);
    this.#row = new Float32Array(rowWidth(shape));
    this.#stageIndex = new Map(shape.stageIds.map((id, index) => [id, index]));
    this.#batchAtMs = new Float64Array(shape.stageIds.length).fill(Number.NaN);
    this.#stageLatencies = shape.stageIds.map(() => new LatencyHistogram());
    this.#endsAtMs = startedAtMs + STEP_MS;
    this.#blockEndsAtMs = startedAtMs + BLOCK_MS;
    this.#last = deps.sample();
  }

  /** Ends all seconds that are over at `nowMs`. Call it before the state changes. */
  advance(nowMs: number): void {
    if (nowMs < this.#endsAtMs) return;
    const behind = Math.floor((nowMs - this.#endsAtMs) / STEP_MS);
    if (behind > MOST_CATCH_UP) this.#endsAtMs += (behind - MOST_CATCH_UP) * STEP_MS;
    while (this.#endsAtMs <= nowMs) {
      this.#endSecond();
      this.#endsAtMs += STEP_MS;
    }
  }

  requestEnded({ endedAtMs, latencyMs, leftMs, outcome, byClient = false }: EndedRequest): void {
    this.advance(endedAtMs);
    this.#endedAtMs = endedAtMs;
    const sloMs = this.#deps.sloLatencyMs();
    const isHasty = leftMs < HASTY_FRACTION * sloMs;
    if (isHasty) this.#add(placeOf('hasty'));
    this.#add(placeOf(outcome));
    if (outcome === 'completed') {
      this.#latencies.record(latencyMs);
      this.latencies.record(latencyMs);
      if (latencyMs > sloMs) this.#add(placeOf('late'));
    } else if (byClient || isHasty || (outcome === 'cancelled' && latencyMs < HASTY_FRACTION * sloMs))
      this.#add(placeOf('clientMissed'));
  }

  batchEnded(batch: EndedBatch, endedAtMs: number): void {
    this.advance(endedAtMs);
    const { stageId, variantId, cpuCores, size, failedItems, serviceMs, busyMs, waitsMs } = batch;
    const stage = this.#stageIndex.get(stageId);
    if (stage === undefined) return;
    this.#batchAtMs[stage] = endedAtMs;
    const expectedMs = this.#deps.curves.curve(stageId, variantId, cpuCores)?.meanMs(size);
    // In Node 20, a literal that begins with a spread makes a hidden class each time.
    this.replicas.note({ expectedMs, ...batch });
    this.#busyCoreMs += busyMs * cpuCores;
    this.#add(placeOfStage(stage, 'batches'));
    this.#add(placeOfStage(stage, 'items'), size);
    this.#add(placeOfStage(stage, 'failedItems'), failedItems);
    if (failedItems === 0 && serviceMs > 0 && expectedMs !== undefined) {
      this.#add(placeOfStage(stage, 'serviceMs'), serviceMs);
      this.#add(placeOfStage(stage, 'expectedMs'), expectedMs);
    }
    const latencies = this.#stageLatencies[stage] as LatencyHistogram;
    for (const waitMs of waitsMs) {
      this.#add(placeOfStage(stage, 'waitMs'), waitMs);
      latencies.record(waitMs + busyMs);
    }
  }

  /** `isAdvice`: its plan is not applied, so the running plan stays made for its own rate. */
  decided(decision: Decision, isAdvice = false): void {
    const { load, forecast } = decision.evidence;
    this.#forecast = forecast;
    if (!isAdvice || decision.kind !== 'apply') this.#provisionedRps = load?.arrivalRps ?? forecast.upperRps;
    this.#decidedAtMs = this.#endsAtMs;
  }

  /** Age of the newest data of each source, exact to a second; `ageMs` is missing before the first. */
  signals(nowMs: number): readonly SignalAge[] {
    const age = (source: string, atMs: number) =>
      Number.isNaN(atMs) ? { source } : { source, ageMs: Math.max(0, Math.round(nowMs - atMs)) };
    const batches = this.history.shape.stageIds.map((id, stage) =>
      age(`batches of ${id}`, this.#batchAtMs[stage] as number),
    );
    const [arrivals, answers] = [age('arrivals', this.#arrivedAtMs), age('answers', this.#endedAtMs)];
    return [arrivals, answers, ...batches, age('decision', this.#decidedAtMs)];
  }

  observed({ staleSources }: { readonly staleSources: readonly string[] }): void {
    this.#staleSignals = staleSources.length;
  }

  #add(place: number, count = 1): void {
    this.#row[place] = (this.#row[place] as number) + count;
  }

  #endSecond(): void {
    const sample = this.#deps.sample();
    if (sample.arrived > this.#last.arrived) this.#arrivedAtMs = this.#endsAtMs;
    this.#setPipeline(sample);
    for (const [stage, of] of sample.stages.entries()) this.#setStage(stage, of, sample);
    const { shape } = this.history;
    for (const [edge, tally] of sample.edges.entries())
      for (const field of ['offered', 'taken', 'fanOuts', 'items'] as const)
        this.#row[placeOfEdge(shape, edge, field)] = tally[field] - (this.#last.edges[edge]?.[field] ?? 0);
    const atEpochMs = this.#deps.epochMsOf(this.#endsAtMs);
    this.history.append(atEpochMs, this.#row);
    this.latencies.advance(atEpochMs);
    if (this.#endsAtMs >= this.#blockEndsAtMs) {
      this.replicas.endBlock(atEpochMs);
      this.#blockEndsAtMs = this.#endsAtMs + BLOCK_MS;
    }
    this.#last = sample;
    this.#row.fill(0);
    this.#busyCoreMs = 0;
  }

  #setPipeline({ arrived, plan }: HistorySample): void {
    const { meanRps = Number.NaN, upperRps = Number.NaN } = this.#forecast ?? {};
    const quantile = (fraction: number) =>
      this.#latencies.count === 0 ? Number.NaN : this.#latencies.quantileMs(fraction);
    const figures = {
      arrived: arrived - (this.#last.arrived ?? 0),
      p50Ms: quantile(0.5),
      p99Ms: quantile(0.99),
      forecastRps: meanRps,
      forecastUpperRps: upperRps,
      provisionedRps: this.#provisionedRps,
      accuracy: plan?.pas ?? Number.NaN,
      costPerHour: plan?.costPerHour ?? Number.NaN,
      usedCores: this.#busyCoreMs / STEP_MS,
      plannedCores: plan?.cpuCores ?? Number.NaN,
      budgetCores: this.#deps.budgetCores(this.#endsAtMs) ?? Number.NaN,
      staleSignals: this.#staleSignals,
    } as const;
    for (const [field, value] of Object.entries(figures)) this.#row[placeOf(field as keyof typeof figures)] = value;
    this.#latencies.clear();
  }

  #setStage(
    stage: number,
    { arrived, dropped, queueLength, replacedSlow = 0, open = 0 }: HistorySample['stages'][number],
    { runningPlan }: HistorySample,
  ): void {
    const id = this.history.shape.stageIds[stage] as StageId;
    const running = runningPlan.stages[id];
    const before = this.#last.stages[stage];
    const latencies = this.#stageLatencies[stage] as LatencyHistogram;
    const count = (status: RunningStage['replicas'][number]['status']) =>
      running?.replicas.filter((replica) => replica.status === status).length ?? 0;
    const ready = count('ready');
    const shut = Math.min(open, ready);
    const figures = {
      arrived: arrived - (before?.arrived ?? 0),
      dropped: dropped - (before?.dropped ?? 0),
      replacedSlow: replacedSlow - (before?.replacedSlow ?? 0),
      p99Ms: latencies.count === 0 ? Number.NaN : latencies.quantileMs(0.99),
      queueLength,
      batchLimit: running?.maxBatchSize ?? 0,
      cpuCores: coresOf(running),
      ...this.#served(stage, id, runningPlan),
      starting: count('starting'),
      ready: ready - shut,
      draining: count('draining'),
      unhealthy: count('failed') + shut,
    } as const;
    for (const [field, value] of Object.entries(figures))
      this.#row[placeOfStage(stage, field as keyof typeof figures)] = value;
    latencies.clear();
  }

  /** Capacity of the ready replicas by the profile, and the variant that most of them run. */
  #served(
    stage: number,
    id: StageId,
    { stages }: RunningPlan,
  ): { readonly capacityRps: number; readonly variant: number } {
    const spec = this.#deps.spec.stages[stage];
    const running = stages[id];
    const main = spec && running && runningStages({ stages: [spec] }, { stages: { [id]: running } })?.[id]?.[0];
    const variant = spec?.variants.findIndex((each) => each.id === main?.variantId) ?? -1;
    let rps = 0;
    for (const replica of running?.replicas ?? []) {
      const curve = this.#deps.curves.curve(id, replica.variantId, replica.resources.cpuCores);
      if (replica.status === 'ready' && curve !== undefined) rps += capacityRps(curve, 1, running?.maxBatchSize ?? 1);
    }
    return { capacityRps: rps, variant };
  }
}

const coresOf = (stage: RunningStage | undefined): number =>
  (stage?.replicas ?? []).reduce(
    (sum, { status, resources }) => sum + (status === 'failed' ? 0 : resources.cpuCores),
    0,
  );
