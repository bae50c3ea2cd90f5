/**
 * Measures the grid of one variant, one replica per core count, batch sizes ascending, and decides which larger sizes cannot matter:
 * - a smaller one already exceeds the SLO alone (its median is above the latency target), or
 * - the median time per item has not fallen, by 2 % at least, for two sizes in a row: a larger batch would only make its items wait, or
 * - a smaller one failed, as it does in models of a fixed batch size.
 *
 * Memory is the growth of the resident memory of this process from before the launch to after the point. It is an approximation: it counts
 * replicas in threads, with buffers of the caller, and not those in processes of their own.
 */
import { AppError, type Clock, type ModelRunner, type ReplicaLauncher } from '@equipoise/core';
import type { ProgressMeter } from '../progress-meter.js';
import { InputCycle } from './input-cycle.js';
import { measurePoint, type PointLimits } from './measure-point.js';
import type { MeasuredPoint, SkippedPoint } from './measured-profile.js';
import type { VariantGrid } from './profile-grid.js';
import type { CapturedInputs } from './sample-walk.js';

/** Sizes in a row whose time per item has not fallen before the rest is skipped. */
const FLAT_SIZES = 2;
const LEAST_GAIN = 0.02;

/** What a variant is measured with. */
export interface VariantMeasurement {
  readonly grid: VariantGrid;
  readonly inputs: CapturedInputs;
  readonly baseDir: string;
  readonly sloLatencyMs: number;
  readonly limits: PointLimits;
  readonly launcher: ReplicaLauncher;
  readonly clock: Clock;
  /** Sees to it that the cores which a replica of `cpuCores` cores leaves free are busy. */
  readonly keepOthersBusy: (cpuCores: number) => Promise<void> | undefined;
  readonly residentBytes: () => number;
  readonly progress: ProgressMeter;
  /** Called once with the first replica after it was measured. */
  readonly afterMeasuring?: (runner: ModelRunner) => Promise<void>;
}

/** Points and gaps of a variant; `loadMs` is the longest of the launches. */
export interface MeasuredVariant {
  readonly points: readonly MeasuredPoint[];
  readonly skipped: readonly SkippedPoint[];
  readonly loadMs: number;
}

/** Follows the sizes of one core count and says why the next ones need not be measured. */
class SizeLimit {
  readonly #sloLatencyMs: number;
  #bestItemMs = Number.POSITIVE_INFINITY;
  #flatSizes = 0;

  constructor(sloLatencyMs: number) {
    this.#sloLatencyMs = sloLatencyMs;
  }

  reasonAfter({ batchSize, p50Ms }: MeasuredPoint): string | undefined {
    const itemMs = p50Ms / batchSize;
    this.#flatSizes = itemMs > this.#bestItemMs * (1 - LEAST_GAIN) ? this.#flatSizes + 1 : 0;
    this.#bestItemMs = Math.min(this.#bestItemMs, itemMs);
    if (p50Ms > this.#sloLatencyMs)
      return `batch size ${batchSize} takes ${p50Ms.toFixed(1)} ms, more than the latency target of ${this.#sloLatencyMs} ms alone`;
    if (this.#flatSizes >= FLAT_SIZES) return `time per item has not fallen for ${FLAT_SIZES} sizes up to ${batchSize}`;
    return undefined;
  }
}

/** Measures all core counts; rejects with AppError when a replica does not start or its smallest batch fails. */
export async function measureVariant(measurement: VariantMeasurement): Promise<MeasuredVariant> {
  const points: MeasuredPoint[] = [];
  const skipped = [...measurement.grid.skipped];
  let loadMs = 0;
  for (const cpuCores of measurement.grid.coreCounts) {
    const residentBefore = measurement.residentBytes();
    const replica = await launch(measurement, cpuCores);
    loadMs = Math.max(loadMs, replica.loadMs);
    try {
      await measurement.keepOthersBusy(cpuCores);
      const grownBytes = () => measurement.residentBytes() - residentBefore;
      const sized = await measureSizes(measurement, { runner: replica.runner, cpuCores, grownBytes });
      points.push(...sized.points);
      skipped.push(...sized.skipped);
      if (cpuCores === measurement.grid.coreCounts[0]) await measurement.afterMeasuring?.(replica.runner);
    } finally {
      await replica.runner.close();
    }
  }
  return { points, skipped, loadMs };
}

function launch({ grid, launcher, baseDir }: VariantMeasurement, cpuCores: number) {
  const { stage, variant } = grid;
  const resources = { cpuCores, memoryBytes: variant.memoryBytes, gpus: variant.gpus };
  return launcher.launch({ stage, variant, resources, baseDir });
}

interface SizedReplica {
  readonly runner: ModelRunner;
  readonly cpuCores: number;
  readonly grownBytes: () => number;
}

async function measureSizes(
  measurement: VariantMeasurement,
  replica: SizedReplica,
): Promise<Pick<MeasuredVariant, 'points' | 'skipped'>> {
  const points: MeasuredPoint[] = [];
  const skipped: SkippedPoint[] = [];
  const limit = new SizeLimit(measurement.sloLatencyMs);
  let reason: string | undefined;
  for (const batchSize of measurement.grid.batchSizes) {
    const label = labelOf(measurement.grid, replica.cpuCores, batchSize);
    measurement.progress.begin(label);
    const outcome = reason ?? (await pointOrReason(measurement, replica, batchSize));
    if (typeof outcome === 'string') skipped.push({ cpuCores: replica.cpuCores, batchSize, reason: outcome });
    else points.push(outcome);
    reason = typeof outcome === 'string' ? outcome : limit.reasonAfter(outcome);
    measurement.progress.finish(1, label);
  }
  return { points, skipped };
}

async function pointOrReason(
  measurement: VariantMeasurement,
  { runner, cpuCores, grownBytes }: SizedReplica,
  batchSize: number,
): Promise<MeasuredPoint | string> {
  const { clock, limits, grid } = measurement;
  const inputs = new InputCycle(measurement.inputs);
  try {
    const point = await measurePoint({ runner, inputs, cpuCores, batchSize, limits, clock });
    const memoryBytes = grownBytes();
    // The heap may have shrunk meanwhile; then nothing is known.
    return memoryBytes > 0 ? { ...point, memoryBytes } : point;
  } catch (error) {
    if (!(error instanceof AppError) || error.code === 'REPLICA_LOST') throw error;
    if (batchSize === grid.batchSizes[0]) throw failureOf(grid, batchSize, error);
    return `batch size ${batchSize} failed: ${error.message}`;
  }
}

function failureOf({ stage, variant }: VariantGrid, batchSize: number, cause: AppError): AppError {
  const message = `Stage ${stage.id}, variant ${variant.id} failed on batches of ${batchSize} of its own sample inputs: ${cause.message}`;
  return new AppError(cause.code, message, { details: { ...cause.details, stageId: stage.id }, cause });
}

function labelOf({ stage, variant }: VariantGrid, cpuCores: number, batchSize: number): string {
  return `${stage.id}/${variant.id} cores ${cpuCores} batch ${batchSize}`;
}
