import type { AccuracyTable } from './accuracy-table.js';
import type { StageId, VariantId } from './ids.js';
import type { ProfilePoint } from './profile-point.js';
import type { TensorType } from './tensor.js';

/**
 * Pipeline description: a pipeline file after defaults and reference checks. Planner, simulator, data plane and
 * profiler work from this value.
 */

/** `percentile` (0–100) of the requests complete within `latencyMs`. */
export interface Slo {
  readonly latencyMs: number;
  readonly percentile: number;
}

/** Upper bounds on a plan. An absent field is unbounded. */
export interface Budget {
  readonly cpuCores?: number;
  readonly memoryBytes?: number;
  readonly gpus?: number;
  readonly costPerHour?: number;
}

/** Prices per hour. Without `prices` in the file a core costs 1 and the rest nothing. */
export interface Prices {
  readonly cpuCorePerHour: number;
  readonly memoryGibPerHour: number;
  readonly gpuPerHour: number;
}

export type Objective =
  | { readonly kind: 'max-accuracy' }
  | { readonly kind: 'min-cost'; readonly accuracyFloor: number }
  | { readonly kind: 'weights'; readonly accuracy: number; readonly cost: number; readonly batch: number };

/** Resources of one replica. `cpuCores` is a multiple of 0.05; memory in bytes. */
export interface Resources {
  readonly cpuCores: number;
  readonly memoryBytes: number;
  readonly gpus: number;
}

/** Entry point of requests: their tensors and the stages that receive them. */
export interface SourceSpec {
  readonly name: string;
  readonly to: readonly StageId[];
  readonly tensors: readonly SourceTensor[];
  /** Folder of example inputs (one file per request) for the profiler and the load generator. */
  readonly samplesPath?: string;
}

/** Input tensor. `contentTypes` are media types of raw bodies accepted for it. */
export interface SourceTensor extends TensorType {
  readonly contentTypes: readonly string[];
}

/** Accuracy as a fraction 0…1 with its metric. */
export interface Accuracy {
  readonly value: number;
  readonly metric: string;
}

/**
 * Open Inference server that runs a variant: one already running at one of `urls`, or one started per replica by
 * `command`. Variables such as `{port}` in command, environment and URL are replaced.
 */
export interface InferenceServerSpec {
  /** `http:`, `https:`, `grpc:` or `grpcs:`; at least one. */
  readonly urls: readonly string[];
  readonly model: string;
  /** `stack`: a batch is one request with a new leading dimension. `single`: each item is a request. */
  readonly batching: 'stack' | 'single';
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Location of the bearer token, never the token itself. */
  readonly token?: TokenPlace;
  /** Sent with every request, over gRPC as metadata. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Token in an environment variable, or in a file relative to `baseDir`. */
export type TokenPlace = { readonly env: string } | { readonly file: string };

/** One model (or one implementation of a transform) for the stage. */
export interface VariantSpec {
  readonly id: VariantId;
  readonly version?: string;
  readonly artifact?: string;
  /** Required digest of the artifact, lower-case hex. */
  readonly artifactSha256?: string;
  readonly server?: InferenceServerSpec;
  readonly accuracy?: Accuracy;
  /** Allowed core counts of a replica, ascending. */
  readonly cpuCores: readonly number[];
  readonly memoryBytes: number;
  readonly gpus: number;
  /** Declared time from start to ready. The measured value of the profile wins. */
  readonly loadMs?: number;
  readonly profile?: readonly ProfilePoint[];
  readonly parameters: Readonly<Record<string, unknown>>;
}

export interface StageBounds {
  readonly minReplicas: number;
  readonly maxReplicas: number;
  /** Allowed max batch sizes, ascending. Default: every profiled size. */
  readonly batchSizes?: readonly number[];
  readonly maxBatchWaitMs: number;
}

export interface StagePins {
  readonly variantId?: VariantId;
  readonly cpuCores?: number;
  readonly maxBatchSize?: number;
  readonly replicas?: number;
}

/** Default run timeout of a batch in ms. */
export const defaultRunTimeoutMs = 60_000;

/** `thread`: shares the server process. `process`: can crash or be killed alone. */
export type Isolation = 'thread' | 'process';

/** Step of the pipeline. A `model` has an accuracy; a `transform` is plain code and counts 1. */
export interface StageSpec {
  readonly id: StageId;
  readonly kind: 'model' | 'transform';
  /** Stage code: a path or `npm:package/export`. Without it the stage is synthetic and runs from its profile. */
  readonly module?: string;
  /** Default: thread. Python always has its own process. */
  readonly isolation?: Isolation;
  /** Interpreter of a Python module: a path relative to `baseDir` or a name to look up. Default: `python3`. */
  readonly python?: string;
  /** A replica that exceeds it is lost. Default: `defaultRunTimeoutMs`. */
  readonly runTimeoutMs?: number;
  /** True if a batch may run again after its replica was lost. Default: true. */
  readonly idempotent?: boolean;
  readonly variants: readonly VariantSpec[];
  readonly bounds: StageBounds;
  readonly pins: StagePins;
}

/** Number of awaited parts: all, the first, or the first `quorum`. */
export type Join = 'all' | 'any' | { readonly quorum: number };

/**
 * Connection of two stages. `fanOut`: one item becomes k ≥ 0 items. `join`: items of the innermost fan-out become one
 * again (see `closesFanOut`). A stage with several in-edges awaits every part that can arrive, or `any` or `quorum`.
 * `when`: of such edges leaving a stage, the first whose condition holds is taken. Probabilities (0…1) sum to at most
 * 1. Fan-outs and probabilities apply until learned from traffic.
 */
export interface EdgeSpec {
  readonly from: StageId;
  readonly to: StageId;
  readonly fanOut?: {
    readonly expected: number;
    /** Fraction of outputs that become k items, by k from 0. The mean is `expected`. Simulations draw from it. */
    readonly distribution?: readonly number[];
  };
  readonly join?: Join;
  /**
   * For a `join: all` edge and edges into a stage with several: `partial` continues without dropped or failed parts as
   * long as one arrives. Default: the request ends.
   */
  readonly onMissing?: 'partial';
  readonly when?: { readonly condition: string; readonly probability: number };
}

export interface NodeGroup extends Resources {
  readonly count: number;
}

/**
 * Stage whose tensors are part of the response; `tensors` selects them (default all). A skipped stage is omitted. So is
 * one whose `unless` stage ran: in a cascade the later stage answers.
 */
export interface OutputSpec {
  readonly from: StageId;
  readonly unless?: StageId;
  readonly tensors?: readonly string[];
}

/** `auto` plans and acts, `advise` only decides, `off` never plans. */
export type ControlMode = 'auto' | 'advise' | 'off';

export interface ControlSpec {
  readonly mode: ControlMode;
  readonly intervalMs: number;
  /** Interval of burst detection between plans. Without it bursts are detected only when a plan is due. */
  readonly fastIntervalMs?: number;
  readonly minDwellMs: number;
  /** Cores above the budget while old and new replicas overlap. Default: one replica of the largest kind. */
  readonly surgeCpuCores?: number;
  /** Longest time until all replicas of a change have started. Default: unlimited. */
  readonly surgeMaxMs?: number;
  /** False switches to a variant that has not served before at once; by default it gets its requests in steps. */
  readonly canary?: false;
}

export interface AdmissionSpec {
  /** Most queued items per stage. Further items are dropped as `queue-full`; a fan-out beyond it fails its request. */
  readonly maxQueueLength: number;
  /**
   * Largest expected wait at a stage, as a fraction (0…1) of the request's remaining time minus remaining work. A
   * request that would wait longer is dropped at once as `queue-full`. Default: only the deadline bounds waits.
   */
  readonly maxWaitFraction?: number;
  /**
   * Time (ms) before the deadline by which a request must be done or is dropped. Covers event loop turns, slow batches
   * and writing the answer. At most half of the request's slack. Default: 0.
   */
  readonly answerMarginMs?: number;
  /** Most bytes of request tensors in flight; more are dropped as `memory-full`. Default: unbounded. */
  readonly maxInFlightBytes?: number;
  /** Default: `defaultPriorities`. */
  readonly priorities?: PrioritySpec;
}

export interface EvaluationSpec {
  readonly module: string;
  readonly dataPath: string;
}

/** Whole description. Paths are relative to `baseDir`, the folder of the file. */
export interface PipelineSpec {
  readonly name: string;
  readonly baseDir: string;
  readonly slo: Slo;
  readonly budget: Budget;
  readonly prices: Prices;
  readonly objective: Objective;
  readonly sources: readonly SourceSpec[];
  readonly stages: readonly StageSpec[];
  readonly edges: readonly EdgeSpec[];
  readonly outputs: readonly OutputSpec[];
  readonly control: ControlSpec;
  readonly admission: AdmissionSpec;
  readonly evaluation?: EvaluationSpec;
  /** Machines with their sizes. Without it a budget is one pool. */
  readonly nodes?: readonly NodeGroup[];
  readonly accuracyTable?: AccuracyTable;
}

/**
 * Returns true if the edge closes the innermost fan-out: `all`, or `any` and `quorum` on the only edge into a stage.
 * With several in-edges, `any` and `quorum` choose among the edges. `inEdges` counts the edges into the stage, this one
 * included.
 */
export function closesFanOut({ join }: Pick<EdgeSpec, 'join'>, inEdges: number): boolean {
  return join === 'all' || (join !== undefined && inEdges === 1);
}

/** Number of awaited parts; Infinity for all. */
export function awaitedParts(join: Join | undefined): number {
  if (join === 'any') return 1;
  return typeof join === 'object' ? join.quorum : Number.POSITIVE_INFINITY;
}

/** Priorities as clients state them: 1, 2, …, with 1 the most urgent. Levels inside are 0, 1, …. */
export interface PrioritySpec {
  /**
   * By priority, most urgent first: guaranteed fraction (0…1) of the items started at a stage while this and other
   * priorities wait. The sum is at most 1. The rest goes to the most urgent.
   */
  readonly shares: readonly number[];
  readonly default: number;
}

/**
 * Three priorities, the middle one by default. Under a flood of urgent requests it keeps a fifth, the last a twentieth.
 */
export const defaultPriorities: PrioritySpec = { shares: [0, 0.2, 0.05], default: 2 };

/** Level of a stated priority. 0 means none (Triton clients send it). Numbers beyond the last mean the last. */
export function priorityLevel({ shares, default: unstated }: PrioritySpec, priority = 0): number {
  const meant = priority === 0 ? unstated : priority;
  return Math.min(Math.max(meant, 1), shares.length) - 1;
}

/** Small enough to cost few requests that could have met the deadline. */
const FRACTION = 0.02;
/** Event loop turn, garbage collection, timer and answer take some ms on any pipeline. */
const MOST_MS = 10;

/** Default answer margin in ms (see `AdmissionSpec`) of a server. Simulations default to 0. */
export function servedAnswerMarginMs({ latencyMs }: Pick<Slo, 'latencyMs'>): number {
  return Math.min(FRACTION * latencyMs, MOST_MS);
}
