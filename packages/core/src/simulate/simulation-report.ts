/**
 * Figures of a simulation. Percentiles are over completed requests. Attainment is over arrivals, so a drop is a miss.
 * Accuracy is over completed requests and, as goodput, over arrivals.
 */
import type { LatencyHistogram } from '../kernel/latency-histogram.js';
import type { StageId } from '../model/ids.js';
import type { PipelineSpec, Prices, Resources } from '../model/pipeline-spec.js';
import type { DropReason } from '../model/request-outcome.js';
import type { SimulationRun } from './simulation-input.js';
import type { StageTally } from './simulation-tally.js';
import type { MeanUse } from './use-meter.js';

export interface LatencyFigures {
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export interface StageFigures {
  readonly waitMs: { readonly mean: number; readonly p99: number };
  readonly serviceMs: { readonly mean: number; readonly p99: number };
  readonly batchSizeMean: number;
  /** Arrived items ÷ items that the stage could have served. */
  readonly loadFactor: number;
  /** Time in which replicas ran batches ÷ time in service. */
  readonly busyFraction: number;
}

export interface SimulationReport {
  readonly requests: number;
  readonly completed: number;
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>;
  readonly failed: number;
  readonly latencyMs: LatencyFigures;
  readonly sloAttainmentFraction: number;
  readonly goodputRps: number;
  readonly pasMean: number;
  /** Σ accuracy of requests within the SLO ÷ arrivals. */
  readonly pasGoodput: number;
  readonly cpuCoresMean: number;
  readonly costPerHourMean: number;
  readonly stages: Readonly<Record<StageId, StageFigures>>;
}

const GIB = 1024 ** 3;

const safeRatio = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);

/** Figures of a run. Without arrivals, attainment is 1. */
export function simulationReport({ prices }: Pick<PipelineSpec, 'prices'>, run: SimulationRun): SimulationReport {
  const { tally, meanUse, graph } = run;
  const dropped = [...tally.dropped.values()].reduce((sum, count) => sum + count, 0);
  const stages = graph.stages.map(({ id, index }) => [id, stageFigures(run, index)] as const);
  return {
    requests: tally.arrived,
    completed: tally.completed,
    dropped: Object.fromEntries([...tally.dropped].sort(([a], [b]) => (a < b ? -1 : 1))),
    failed: tally.arrived - tally.completed - dropped,
    latencyMs: latencyFigures(tally.latencyMs),
    sloAttainmentFraction: tally.arrived === 0 ? 1 : tally.withinSlo / tally.arrived,
    goodputRps: safeRatio(1000 * tally.withinSlo, meanUse.durationMs),
    pasMean: safeRatio(tally.pasSum, tally.completed),
    pasGoodput: safeRatio(tally.pasWithinSloSum, tally.arrived),
    cpuCoresMean: meanUse.resources.cpuCores,
    costPerHourMean: costPerHour(meanUse.resources, prices),
    stages: Object.fromEntries(stages),
  };
}

function latencyFigures(histogram: LatencyHistogram): LatencyFigures {
  return {
    mean: histogram.meanMs,
    p50: histogram.quantileMs(0.5),
    p95: histogram.quantileMs(0.95),
    p99: histogram.quantileMs(0.99),
    p999: histogram.quantileMs(0.999),
    max: histogram.maxMs,
  };
}

function stageFigures({ tally, meanUse }: SimulationRun, index: number): StageFigures {
  const stage = tally.stages[index] as StageTally;
  const { replicas, capacityRps } = meanUse.stages[index] as MeanUse['stages'][number];
  const itemsThatCame = stage.items + stage.dropped;
  return {
    waitMs: { mean: stage.waitMs.meanMs, p99: stage.waitMs.quantileMs(0.99) },
    serviceMs: { mean: stage.serviceMs.meanMs, p99: stage.serviceMs.quantileMs(0.99) },
    batchSizeMean: safeRatio(stage.items, stage.batches),
    loadFactor: safeRatio(1000 * itemsThatCame, capacityRps * meanUse.durationMs),
    busyFraction: safeRatio(stage.busyMs, replicas * meanUse.durationMs),
  };
}

/** A run without completed requests has neither latencies nor an accuracy. All runs if none has. */
export function runsThatComplete<Run extends Pick<SimulationReport, 'completed'>>(
  runs: readonly Run[],
): readonly Run[] {
  const some = runs.filter(({ completed }) => completed > 0);
  return some.length > 0 ? some : runs;
}

/** Price of resources per hour. */
export function costPerHour({ cpuCores, memoryBytes, gpus }: Resources, prices: Prices): number {
  return cpuCores * prices.cpuCorePerHour + (memoryBytes / GIB) * prices.memoryGibPerHour + gpus * prices.gpuPerHour;
}
