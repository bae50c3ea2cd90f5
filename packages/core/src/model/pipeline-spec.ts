import type { AccuracyTable } from './accuracy-table.js';
import type { StageId, VariantId } from './ids.js';
import type { ProfilePoint } from './profile-point.js';
import type { TensorType } from './tensor.js';

/** Pipeline file with defaults and checked references, for planner, simulator, data plane and profiler. */

/** `percentile` (0–100) of the requests complete within `latencyMs`. */
export interface Slo {
  readonly latencyMs: number;
  readonly percentile: number;
}

/** An absent field is unbounded. */
export interface Budget {
  readonly cpuCores?: number;
  readonly memoryBytes?: number;
  readonly gpus?: number;
  readonly costPerHour?: number;
}

/** Per hour. By default a core costs 1 and the rest nothing. */
export interface Prices {
  readonly cpuCorePerHour: number;
  readonly memoryGibPerHour: number;
  readonly gpuPerHour: number;
}

export type Objective =
  | { readonly kind: 'max-accuracy' }
  | { readonly kind: 'min-cost'; readonly accuracyFloor: number }
  | { readonly kind: 'weights'; readonly accuracy: number; readonly cost: number; readonly batch: number };

/** Per replica. `cpuCores` is a multiple of 0.05. */
export interface Resources {
  readonly cpuCores: number;
  readonly memoryBytes: number;
  readonly gpus: number;
}

/** Entry point of requests. */
export interface SourceSpec {
  readonly name: string;
  readonly to: readonly StageId[];
  readonly tensors: readonly SourceTensor[];
  /** Example inputs, one file per request. */
  readonly samplesPath?: string;
}

/** `contentTypes` are media types of raw bodies. */
export interface SourceTensor extends TensorType {
  readonly contentTypes: readonly string[];
}

/** Fraction 0…1. */
export interface Accuracy {
  readonly value: number;
  readonly metric: string;
}

/**
 * Open Inference server of a variant: already running at one of `urls`, or started per replica by `command`. Variables
 * such as `{port}` in command, environment and URL are replaced.
 */
export interface InferenceServerSpec {
  /** `http:`, `https:`, `grpc:` or `grpcs:`; at least one. */
  readonly urls: readonly string[];
  readonly model: string;
  /** `stack`: a batch is one request with a new leading dimension. `single`: each item is a request. */
  readonly batching: 'stack' | 'single';
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly token?: TokenPlace;
  /** Request headers (metadata over gRPC). */
  readonly headers?: Readonly<Record<string, string>>;
}

/** `file` is relative to `baseDir`. */
export type TokenPlace = { readonly env: string } | { readonly file: string };

export interface VariantSpec {
  readonly id: VariantId;
  readonly version?: string;
  readonly artifact?: string;
  /** Lower-case hex. */
  readonly artifactSha256?: string;
  readonly server?: InferenceServerSpec;
  readonly accuracy?: Accuracy;
  /** Core counts that a replica may have, ascending. */
  readonly cpuCores: readonly number[];
  readonly memoryBytes: number;
  readonly gpus: number;
  /** Time from start to ready. A measured time takes precedence. */
  readonly loadMs?: number;
  readonly profile?: readonly ProfilePoint[];
  readonly parameters: Readonly<Record<string, unknown>>;
}

export interface StageBounds {
  readonly minReplicas: number;
  readonly maxReplicas: number;
  /** Ascending. Default: every profiled size. */
  readonly batchSizes?: readonly number[];
  readonly maxBatchWaitMs: number;
}

export interface StagePins {
  readonly variantId?: VariantId;
  readonly cpuCores?: number;
  readonly maxBatchSize?: number;
  readonly replicas?: number;
}

export const defaultRunTimeoutMs = 60_000;

/** A `process` can crash or be killed without affecting others. */
export type Isolation = 'thread' | 'process';

/** A `transform` is plain code with accuracy 1. */
export interface StageSpec {
  readonly id: StageId;
  readonly kind: 'model' | 'transform';
  /** A path or `npm:package/export`. Without it the stage is synthetic: it only waits for profiled times. */
  readonly module?: string;
  /** Default: thread. Python always has its own process. */
  readonly isolation?: Isolation;
  /** Path relative to `baseDir`, or command name. Default: `python3`. */
  readonly python?: string;
  /** A replica whose batch takes longer is lost. Default: `defaultRunTimeoutMs`. */
  readonly runTimeoutMs?: number;
  /** True if a lost batch may run again. Default: true. */
  readonly idempotent?: boolean;
  readonly variants: readonly VariantSpec[];
  readonly bounds: StageBounds;
  readonly pins: StagePins;
}

/** Parts to wait for: all, the first, or the first `quorum`. */
export type Join = 'all' | 'any' | { readonly quorum: number };

/**
 * Connection of two stages. `fanOut`: one item becomes k ≥ 0 items. `join`: items of the innermost fan-out become one
 * item (see `closesFanOut`). A stage with several in-edges waits for all parts that can arrive, unless `join` is `any`
 * or a quorum. `when`: an item takes the stage's first edge whose condition holds. Probabilities sum to at most 1.
 * Probabilities and fan-out factors apply until learned from traffic.
 */
export interface EdgeSpec {
  readonly from: StageId;
  readonly to: StageId;
  readonly fanOut?: {
    readonly expected: number;
    /** Entry k is the fraction of outputs that become k items. Its mean is `expected`. */
    readonly distribution?: readonly number[];
  };
  readonly join?: Join;
  /**
   * For `join: all` and stages with several in-edges: continue without dropped or failed parts if at least one arrives.
   * Default: the request ends.
   */
  readonly onMissing?: 'partial';
  readonly when?: { readonly condition: string; readonly probability: number };
}

export interface NodeGroup extends Resources {
  readonly count: number;
}

/**
 * Stage whose `tensors` (default all) are in the response. Omitted if the stage was skipped or its `unless` stage ran:
 * in a cascade the later stage answers.
 */
export interface OutputSpec {
  readonly from: StageId;
  readonly unless?: StageId;
  readonly tensors?: readonly string[];
}

/** Plans must meet the SLO with service times `serviceFactor` (at least 1) × the profiled ones. */
export interface Robustness {
  readonly serviceFactor: number;
}

/** `auto` decides and applies, `advise` only decides, `off` never plans. */
export type ControlMode = 'auto' | 'advise' | 'off';

export interface ControlSpec {
  readonly mode: ControlMode;
  readonly intervalMs: number;
  /** Interval of burst detection. Default: `intervalMs`. */
  readonly fastIntervalMs?: number;
  readonly minDwellMs: number;
  /** Cores above the budget while old and new replicas overlap. Default: cores of the largest replica. */
  readonly surgeCpuCores?: number;
  /** Longest time until all replicas of a change have started. Default: unlimited. */
  readonly surgeMaxMs?: number;
  /** False: a new variant gets all requests at once. */
  readonly canary?: false;
}

export interface AdmissionSpec {
  /** Per stage. Excess items are dropped as `queue-full`; a fan-out with more items fails its request. */
  readonly maxQueueLength: number;
  /**
   * Largest expected wait at a stage, as a fraction (0…1) of the request's slack: remaining time minus remaining work.
   * Items that would wait longer are dropped as `wait-too-long`. Default: only the deadline bounds waits.
   */
  readonly maxWaitFraction?: number;
  /**
   * Time (ms) reserved before the deadline for event loop turns, slow batches and writing the answer. Takes at most
   * half of the request's slack. Default: 0.
   */
  readonly answerMarginMs?: number;
  /** Total of request tensors. Requests above it are dropped as `memory-full`. Default: unbounded. */
  readonly maxInFlightBytes?: number;
  /** Default: `defaultPriorities`. */
  readonly priorities?: PrioritySpec;
}

export interface EvaluationSpec {
  readonly module: string;
  readonly dataPath: string;
}

/** Paths are relative to `baseDir`, the folder of the file. */
export interface PipelineSpec {
  readonly name: string;
  readonly baseDir: string;
  readonly slo: Slo;
  readonly budget: Budget;
  readonly prices: Prices;
  readonly objective: Objective;
  /** Default: profiled service times. */
  readonly robustness?: Robustness;
  readonly sources: readonly SourceSpec[];
  readonly stages: readonly StageSpec[];
  readonly edges: readonly EdgeSpec[];
  readonly outputs: readonly OutputSpec[];
  readonly control: ControlSpec;
  readonly admission: AdmissionSpec;
  readonly evaluation?: EvaluationSpec;
  /** Default: replicas are not packed on machines. */
  readonly nodes?: readonly NodeGroup[];
  readonly accuracyTable?: AccuracyTable;
}

/**
 * True if the edge's `join` closes the innermost fan-out. `all` always does; `any` and `quorum` do on a stage's only
 * in-edge. With several in-edges they select among the edges. `inEdges` counts this edge, too.
 */
export function closesFanOut({ join }: Pick<EdgeSpec, 'join'>, inEdges: number): boolean {
  return join === 'all' || (join !== undefined && inEdges === 1);
}

/** Infinity for all. */
export function awaitedParts(join: Join | undefined): number {
  if (join === 'any') return 1;
  return typeof join === 'object' ? join.quorum : Number.POSITIVE_INFINITY;
}

/** Clients send 1, 2, …, with 1 the most urgent. Internal levels are 0, 1, …. */
export interface PrioritySpec {
  /**
   * Per priority, guaranteed fraction (0…1) of the items that a stage starts while several priorities wait. The sum is
   * at most 1. The rest goes to the most urgent.
   */
  readonly shares: readonly number[];
  readonly default: number;
}

/** Under a flood of urgent requests, priority 2 keeps a fifth and priority 3 a twentieth. */
export const defaultPriorities: PrioritySpec = { shares: [0, 0.2, 0.05], default: 2 };

/** 0 means no priority (Triton clients send it). Numbers beyond the last mean the last. */
export function priorityLevel({ shares, default: unstated }: PrioritySpec, priority = 0): number {
  const meant = priority === 0 ? unstated : priority;
  return Math.min(Math.max(meant, 1), shares.length) - 1;
}

/** Small, to drop few requests that could meet the deadline. */
const FRACTION = 0.02;
/** Event loop, garbage collection and writing take some ms in any pipeline. */
const MOST_MS = 10;

/** Default answer margin (ms) of a server (see `AdmissionSpec`). */
export function servedAnswerMarginMs({ latencyMs }: Pick<Slo, 'latencyMs'>): number {
  return Math.min(FRACTION * latencyMs, MOST_MS);
}
