/**
 * Measures the grid of one variant: one replica per core count, batch sizes ascending. The other cores are first busy,
 * then briefly idle. Plans use the busy figures; the idle figures show the cost of neighbours. Points of an interrupted
 * run are reused.
 *
 * Memory is the resident memory of the replica's process.
 */
import { AppError, type Clock } from '@equipoise/core/model';
import type { LaunchedReplica, ModelRunner, ReplicaLauncher } from '@equipoise/core/ports';
import type { ProgressMeter } from '../progress-meter.js';
import type { NeighbourLoad } from './busy-neighbours.js';
import { InputCycle } from './input-cycle.js';
import { briefer, measurePoint, type PointLimits } from './measure-point.js';
import type { MeasuredPoint, ServiceFigures, SkipKind, SkippedPoint } from './measured-profile.js';
import type { VariantGrid } from './profile-grid.js';
import type { CapturedInputs } from './sample-walk.js';

interface VariantMeasurement {
  readonly grid: VariantGrid;
  readonly inputs: CapturedInputs;
  readonly baseDir: string;
  readonly sloLatencyMs: number;
  readonly limits: PointLimits;
  readonly launcher: ReplicaLauncher;
  readonly clock: Clock;
  readonly neighbours: NeighbourLoad | undefined;
  readonly coresAvailable: number;
  readonly residentBytes: () => number;
  readonly progress: ProgressMeter;
  /** Points measured earlier under the same conditions. */
  readonly known: MeasuredVariant | undefined;
  readonly keep: (soFar: MeasuredVariant) => void;
  /** Called at most once, with the first replica. */
  readonly afterMeasuring?: (runner: ModelRunner) => Promise<void>;
}

/** `loadMs` is the longest launch. */
export interface MeasuredVariant {
  readonly points: readonly MeasuredPoint[];
  readonly skipped: readonly SkippedPoint[];
  readonly loadMs: number;
}

/** Rejects if a replica does not start or is lost, or its smallest batch fails. */
export function measureVariant(measurement: VariantMeasurement): Promise<MeasuredVariant> {
  return new VariantMeasurer(measurement).run();
}

/** Time for the idle figures (`briefer`), as a fraction of a point's time. */
const IDLE_UNITS = 0.2;

class VariantMeasurer {
  readonly #with: VariantMeasurement;
  readonly #points: MeasuredPoint[] = [];
  readonly #skipped: SkippedPoint[];
  #loadMs: number;

  constructor(measurement: VariantMeasurement) {
    this.#with = measurement;
    this.#skipped = [...measurement.grid.skipped];
    this.#loadMs = measurement.known?.loadMs ?? 0;
  }

  async run(): Promise<MeasuredVariant> {
    const { coreCounts } = this.#with.grid;
    for (const cpuCores of coreCounts) {
      const replica = new ReplicaOnDemand(this.#with, cpuCores, (loadMs) => {
        this.#loadMs = Math.max(this.#loadMs, loadMs);
      });
      try {
        await this.#measureBusy(replica);
        if (replica.freeCores > 0) await this.#measureIdle(replica);
        if (cpuCores === coreCounts[0]) await replica.ifStarted(this.#with.afterMeasuring);
      } finally {
        await replica.close();
      }
    }
    return this.#soFar();
  }

  async #measureBusy(replica: ReplicaOnDemand): Promise<void> {
    const { grid, progress, sloLatencyMs } = this.#with;
    const { cpuCores } = replica;
    const limit = new SizeLimit(sloLatencyMs);
    let skip: SkipReason | undefined;
    for (const batchSize of grid.batchSizes) {
      const label = labelOf(grid, cpuCores, batchSize);
      const found = skip ?? this.#known(cpuCores, batchSize);
      if (found === undefined || found === skip) progress.begin(label);
      const outcome = found ?? (await this.#pointOrReason(replica, batchSize));
      if ('kind' in outcome) this.#skipped.push({ cpuCores, batchSize, ...outcome });
      else this.#points.push(outcome);
      const units = 'kind' in outcome || replica.freeCores === 0 ? 1 : 1 - IDLE_UNITS;
      if (found !== undefined && found !== skip) progress.leaveOut(units);
      else progress.finish(units, label);
      skip = 'kind' in outcome ? outcome : limit.reasonAfter(outcome);
    }
  }

  async #measureIdle(replica: ReplicaOnDemand): Promise<void> {
    const { grid, progress, limits } = this.#with;
    for (const [index, point] of this.#points.entries()) {
      if (point.cpuCores !== replica.cpuCores) continue;
      if (point.idle !== undefined) {
        progress.leaveOut(IDLE_UNITS);
        continue;
      }
      const label = `${labelOf(grid, point.cpuCores, point.batchSize)}, others idle`;
      progress.begin(label);
      await this.#with.neighbours?.keepBusy(0);
      const idle = await this.#figures(replica, point.batchSize, briefer(limits));
      this.#points[index] = { ...point, idle };
      this.#keep();
      progress.finish(IDLE_UNITS, label);
    }
  }

  async #pointOrReason(replica: ReplicaOnDemand, batchSize: number): Promise<MeasuredPoint | SkipReason> {
    const { grid, neighbours, limits } = this.#with;
    const { cpuCores, freeCores } = replica;
    try {
      await replica.start();
      await neighbours?.keepBusy(freeCores);
      const figures = await this.#figures(replica, batchSize, limits);
      const memoryBytes = replica.memoryBytes();
      const memory = memoryBytes === undefined ? {} : { memoryBytes };
      const point: MeasuredPoint = { cpuCores, batchSize, ...figures, ...memory, busyNeighbours: freeCores };
      this.#keep(point);
      return point;
    } catch (error) {
      if (!replica.started || !(error instanceof AppError) || error.code === 'REPLICA_LOST') throw error;
      if (batchSize === grid.batchSizes[0]) throw failureOf(grid, batchSize, error);
      return { kind: 'failed', reason: `batch size ${batchSize} failed: ${error.message}` };
    }
  }

  #known(cpuCores: number, batchSize: number): MeasuredPoint | SkipReason | undefined {
    const isIt = (at: { readonly cpuCores: number; readonly batchSize: number }) =>
      at.cpuCores === cpuCores && at.batchSize === batchSize;
    const { points = [], skipped = [] } = this.#with.known ?? {};
    const failed = skipped.find((skip) => skip.kind === 'failed' && isIt(skip));
    return points.find(isIt) ?? (failed && { kind: failed.kind, reason: failed.reason });
  }

  async #figures(replica: ReplicaOnDemand, batchSize: number, limits: PointLimits): Promise<ServiceFigures> {
    const runner = await replica.start();
    const { clock, inputs } = this.#with;
    return measurePoint({ runner, inputs: new InputCycle(inputs), batchSize, limits, clock });
  }

  /** Reports all points; `latest` is not yet among `#points`. */
  #keep(...latest: readonly MeasuredPoint[]): void {
    const { points, ...rest } = this.#soFar();
    this.#with.keep({ ...rest, points: [...points, ...latest] });
  }

  #soFar(): MeasuredVariant {
    return { points: [...this.#points], skipped: [...this.#skipped], loadMs: this.#loadMs };
  }
}

/** Replica of one core count, started on first use. */
class ReplicaOnDemand {
  readonly cpuCores: number;
  readonly freeCores: number;
  readonly #with: VariantMeasurement;
  readonly #onLoaded: (loadMs: number) => void;
  #residentBefore = 0;
  #launched: LaunchedReplica | undefined;

  constructor(measurement: VariantMeasurement, cpuCores: number, onLoaded: (loadMs: number) => void) {
    this.#with = measurement;
    this.cpuCores = cpuCores;
    this.freeCores = measurement.neighbours === undefined ? 0 : Math.max(0, measurement.coresAvailable - cpuCores);
    this.#onLoaded = onLoaded;
  }

  get started(): boolean {
    return this.#launched !== undefined;
  }

  async start(): Promise<ModelRunner> {
    if (this.#launched === undefined) {
      const { grid, launcher, baseDir, residentBytes } = this.#with;
      const { stage, variant } = grid;
      this.#residentBefore = residentBytes();
      const resources = { cpuCores: this.cpuCores, memoryBytes: variant.memoryBytes, gpus: variant.gpus };
      this.#launched = await launcher.launch({ stage, variant, resources, baseDir });
      this.#onLoaded(this.#launched.loadMs);
    }
    return this.#launched.runner;
  }

  memoryBytes(): number | undefined {
    if (this.#launched?.residentBytes !== undefined) return this.#launched.residentBytes();
    const grownBytes = this.#with.residentBytes() - this.#residentBefore;
    // The growth is unknown if memory has shrunk meanwhile.
    return grownBytes > 0 ? grownBytes : undefined;
  }

  async ifStarted(use: VariantMeasurement['afterMeasuring']): Promise<void> {
    if (this.#launched !== undefined) await use?.(this.#launched.runner);
  }

  async close(): Promise<void> {
    await this.#launched?.runner.close();
  }
}

function failureOf({ stage, variant }: VariantGrid, batchSize: number, cause: AppError): AppError {
  const message = `Stage ${stage.id}, variant ${variant.id} failed on batches of ${batchSize} of its own sample inputs: ${cause.message}`;
  return new AppError(cause.code, message, { details: { ...cause.details, stageId: stage.id }, cause });
}

function labelOf({ stage, variant }: VariantGrid, cpuCores: number, batchSize: number): string {
  return `${stage.id}/${variant.id} cores ${cpuCores} batch ${batchSize}`;
}

/** A sweep ends after this many sizes in a row without gain. */
const FLAT_SIZES = 2;
const LEAST_GAIN = 0.02;

interface SkipReason {
  readonly kind: SkipKind;
  readonly reason: string;
}

/**
 * Follows the ascending sizes of one core count and skips larger ones if
 * - the median of a smaller size exceeds the latency target, or
 * - the median time per item has not fallen by 2 % for two sizes in a row.
 */
class SizeLimit {
  readonly #sloLatencyMs: number;
  #bestItemMs = Number.POSITIVE_INFINITY;
  #flatSizes = 0;

  constructor(sloLatencyMs: number) {
    this.#sloLatencyMs = sloLatencyMs;
  }

  reasonAfter({ batchSize, p50Ms }: MeasuredPoint): SkipReason | undefined {
    const itemMs = p50Ms / batchSize;
    this.#flatSizes = itemMs > this.#bestItemMs * (1 - LEAST_GAIN) ? this.#flatSizes + 1 : 0;
    this.#bestItemMs = Math.min(this.#bestItemMs, itemMs);
    if (p50Ms > this.#sloLatencyMs) {
      const reason = `batch size ${batchSize} takes ${p50Ms.toFixed(1)} ms in the median, more than the latency target of ${this.#sloLatencyMs} ms alone`;
      return { kind: 'over-slo', reason };
    }
    if (this.#flatSizes < FLAT_SIZES) return undefined;
    return { kind: 'dominated', reason: `time per item has not fallen for ${FLAT_SIZES} sizes up to ${batchSize}` };
  }
}
