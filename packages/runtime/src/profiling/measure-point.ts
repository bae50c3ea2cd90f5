/**
 * Measures one point: a single replica in a closed loop, so the throughput is at saturation. The service time of a
 * batch lasts from sending the batch to its answer, as in the dispatch rule. It excludes copying the inputs.
 *
 * The measurement stops when the interval of the mean (and, if asked, of the p99) is tight, or the time cap is reached.
 */
import type { Clock } from '@equipoise/core/model';
import type { ModelRunner } from '@equipoise/core/ports';
import { BatchTimes, quantileInterval, quantileOfSorted } from './batch-statistics.js';
import type { InputCycle } from './input-cycle.js';
import type { MeasurementEnd, ProfileDepth, ServiceFigures } from './measured-profile.js';

/** `maxMs` includes the warm-up. */
export interface PointLimits {
  readonly warmUpMs: number;
  readonly minWarmUpBatches: number;
  readonly minMeasuredMs: number;
  readonly minBatches: number;
  readonly maxMs: number;
  readonly meanUncertaintyFraction: number;
  readonly p99UncertaintyFraction: number;
}

/** A quick run measures the p99 only as a by-product. */
export const pointLimits: Readonly<Record<ProfileDepth, PointLimits>> = {
  quick: {
    warmUpMs: 60,
    minWarmUpBatches: 2,
    minMeasuredMs: 120,
    minBatches: 30,
    maxMs: 650,
    meanUncertaintyFraction: 0.02,
    p99UncertaintyFraction: Number.POSITIVE_INFINITY,
  },
  full: {
    warmUpMs: 300,
    minWarmUpBatches: 5,
    minMeasuredMs: 1000,
    minBatches: 100,
    maxMs: 8000,
    meanUncertaintyFraction: 0.01,
    p99UncertaintyFraction: 0.05,
  },
};

/** Shorter limits for secondary figures. */
export function briefer(limits: PointLimits): PointLimits {
  const { warmUpMs, minMeasuredMs, minBatches, maxMs } = limits;
  return {
    ...limits,
    warmUpMs: warmUpMs / 4,
    minMeasuredMs: minMeasuredMs / 4,
    minBatches: Math.ceil(minBatches / 4),
    maxMs: maxMs / 4,
  };
}

const LEAST_BATCHES = 3;
/** Assumed time of a batch if no clock advanced meanwhile. */
const CLOCK_RESOLUTION_MS = 0.001;

export interface PointMeasurement {
  readonly runner: ModelRunner;
  readonly inputs: InputCycle;
  readonly batchSize: number;
  readonly limits: PointLimits;
  readonly clock: Clock;
}

async function timedBatch({ runner, inputs, batchSize, clock }: PointMeasurement): Promise<number> {
  const batch = inputs.nextBatch(batchSize);
  const startedAtMs = clock.nowMs();
  const { items, serviceMs } = await runner.run(batch);
  const turnaroundMs = clock.nowMs() - startedAtMs;
  const failed = items.find((item) => item.kind === 'failed');
  if (failed !== undefined) throw failed.error;
  // A coarse clock must not make a batch look faster than the replica reports.
  return Math.max(turnaroundMs, serviceMs, CLOCK_RESOLUTION_MS);
}

async function warmUp(measurement: PointMeasurement): Promise<void> {
  const { clock, limits } = measurement;
  const startedAtMs = clock.nowMs();
  const elapsedMs = () => clock.nowMs() - startedAtMs;
  for (let batches = 0; batches < limits.minWarmUpBatches || elapsedMs() < limits.warmUpMs; batches++) {
    if (batches > 0 && elapsedMs() > limits.maxMs / 4) return;
    await timedBatch(measurement);
  }
}

function isSure(times: BatchTimes, measuredMs: number, limits: PointLimits): boolean {
  if (times.count < limits.minBatches || measuredMs < limits.minMeasuredMs) return false;
  if (times.meanUncertaintyFraction() > limits.meanUncertaintyFraction) return false;
  if (limits.p99UncertaintyFraction === Number.POSITIVE_INFINITY) return true;
  // Sorting costs time: check again when the sample has grown by a sixteenth.
  if (times.count % Math.max(1, times.count >> 4) !== 0) return false;
  return p99UncertaintyFraction(times.sorted()) <= limits.p99UncertaintyFraction;
}

/** Half the width of the p99's interval ÷ the p99. */
function p99UncertaintyFraction(sortedMs: Float64Array): number {
  const interval = quantileInterval(sortedMs, 0.99);
  if (interval === undefined) return Number.POSITIVE_INFINITY;
  return (interval.highMs - interval.lowMs) / 2 / quantileOfSorted(sortedMs, 0.99);
}

/** Rejects with the error of a failed batch. */
export async function measurePoint(measurement: PointMeasurement): Promise<ServiceFigures> {
  const { clock, limits } = measurement;
  const capAtMs = clock.nowMs() + limits.maxMs;
  await warmUp(measurement);
  const times = new BatchTimes();
  let measuredMs = 0;
  let endedBy: MeasurementEnd | undefined;
  while (endedBy === undefined) {
    const serviceMs = await timedBatch(measurement);
    times.add(serviceMs);
    measuredMs += serviceMs;
    if (isSure(times, measuredMs, limits)) endedBy = 'sure';
    else if (times.count >= LEAST_BATCHES && clock.nowMs() >= capAtMs) endedBy = 'time-cap';
  }
  return figuresOf(times, { batchSize: measurement.batchSize, measuredMs, endedBy });
}

function figuresOf(
  times: BatchTimes,
  run: { readonly batchSize: number; readonly measuredMs: number; readonly endedBy: MeasurementEnd },
): ServiceFigures {
  const sortedMs = times.sorted();
  const interval = quantileInterval(sortedMs, 0.99);
  return {
    p50Ms: quantileOfSorted(sortedMs, 0.5),
    p95Ms: quantileOfSorted(sortedMs, 0.95),
    // One stall among few batches can lift the mean above the p99, which no service law of the planner can represent.
    p99Ms: Math.max(times.meanMs, quantileOfSorted(sortedMs, 0.99)),
    meanMs: times.meanMs,
    throughputRps: (1000 * run.batchSize * times.count) / run.measuredMs,
    batches: times.count,
    meanUncertaintyFraction: times.meanUncertaintyFraction(),
    ...(interval === undefined ? {} : { p99IntervalMs: [interval.lowMs, interval.highMs] as const }),
    endedBy: run.endedBy,
  };
}
